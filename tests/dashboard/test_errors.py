import openai
import pytest
from openai import OpenAI

from lib.dashboard.errors import sentence_for
from tests.dashboard.running_api import client_of
from tests.doubles.model_endpoint import ModelEndpoint
from tests.doubles.model_wire import Answer


def test_a_server_that_is_away_is_named_with_the_command_that_starts_it() -> None:
    client = client_of("http://127.0.0.1:9/v1")

    with pytest.raises(openai.OpenAIError) as raised:
        client.beta.assistants.list()

    assert "streamlit run streamlit_app.py" in sentence_for(raised.value)


def test_an_object_that_is_gone_is_named(client: OpenAI) -> None:
    with pytest.raises(openai.OpenAIError) as raised:
        client.beta.assistants.retrieve("asst_gone")

    said = sentence_for(raised.value)
    assert "asst_gone" in said
    assert said.endswith("It may have been deleted in the meantime.")


def test_a_refusal_is_told_in_the_servers_own_words(client: OpenAI) -> None:
    with pytest.raises(openai.OpenAIError) as raised:
        client.beta.assistants.create(model="gpt-4o", temperature=9)

    assert "temperature" in sentence_for(raised.value)


def test_a_slow_server_asks_for_patience(endpoint: ModelEndpoint) -> None:
    endpoint.script.models_answer = Answer(initial_delay=5)

    with pytest.raises(openai.OpenAIError) as raised:
        client_of(endpoint.base_url).with_options(timeout=0.05).models.list()

    assert "try again in a moment" in sentence_for(raised.value)


def test_a_wrong_key_names_the_variable(endpoint: ModelEndpoint) -> None:
    endpoint.script.api_key = "right"

    with pytest.raises(openai.OpenAIError) as raised:
        client_of(endpoint.base_url).models.list()

    assert "API_KEYS" in sentence_for(raised.value)
