import pytest
from openai import NotFoundError, OpenAI

from tests.conftest import StartServer
from tests.doubles.model_endpoint import ModelEndpoint
from tests.doubles.model_wire import Answer


def test_the_endpoints_models_are_listed(client: OpenAI) -> None:
    models = client.models.list().data

    assert "gpt-4o-mini" in [model.id for model in models]
    assert models[0].to_dict() == {
        "id": models[0].id,
        "object": "model",
        "created": 1_700_000_000,
        "owned_by": "double",
    }


def test_one_model_is_retrieved_also_with_a_slash_in_its_name(
    start_server: StartServer, endpoint: ModelEndpoint
) -> None:
    endpoint.lists_models("Qwen/Qwen2.5-7B-Instruct")

    model = start_server().client().models.retrieve("Qwen/Qwen2.5-7B-Instruct")

    assert model.id == "Qwen/Qwen2.5-7B-Instruct"


def test_an_unknown_model_is_not_found(client: OpenAI) -> None:
    with pytest.raises(NotFoundError) as caught:
        client.models.retrieve("gpt-99")

    assert caught.value.code == "model_not_found"
    assert "The model 'gpt-99' does not exist" in caught.value.message


def test_an_endpoint_that_cannot_list_is_told_in_one_sentence(
    start_server: StartServer, endpoint: ModelEndpoint
) -> None:
    endpoint.script.models_answer = Answer(status=500)

    with start_server().http() as http:
        answer = http.get("models")

    assert answer.status_code == 502
    assert answer.json()["error"]["type"] == "server_error"
    assert endpoint.base_url in answer.json()["error"]["message"]
