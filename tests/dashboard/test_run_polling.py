import threading
from itertools import pairwise

import openai
import pytest
from openai import OpenAI
from openai.types.beta.threads import Run

from lib.dashboard.run_polling import follow_run
from lib.dashboard.run_progress import RunProgress
from tests.doubles.model_endpoint import ModelEndpoint


def started_run(client: OpenAI) -> Run:
    assistant = client.beta.assistants.create(
        model="gpt-4o-mini",
        tools=[{"type": "function", "function": {"name": "ask", "parameters": {}}}],
    )
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Tell me"}])
    return client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)


def followed(client: OpenAI, run: Run) -> list[str]:
    """The text of the answer at every look, until the run rests."""
    return [text_of(progress) for progress in follow_run(client, run.thread_id, run.id)]


def text_of(progress: RunProgress) -> str:
    return "".join(progress.texts.values())


def test_an_answer_grows_until_it_is_whole(client: OpenAI, endpoint: ModelEndpoint) -> None:
    endpoint.will_answer("one two three four five six", token_delay=0.05)

    texts = followed(client, started_run(client))

    assert texts[-1] == "one two three four five six"
    assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
    assert len(set(texts)) > 2


def test_who_attaches_late_sees_everything(client: OpenAI, endpoint: ModelEndpoint) -> None:
    endpoint.will_answer("The whole answer.")
    run = started_run(client)
    followed(client, run)

    again = followed(client, run)

    assert again[-1] == "The whole answer."


def test_leaving_does_not_stop_the_run(client: OpenAI, endpoint: ModelEndpoint) -> None:
    endpoint.will_answer("one two three four five six", token_delay=0.05)
    run = started_run(client)

    for progress in follow_run(client, run.thread_id, run.id):
        if text_of(progress):
            break

    assert followed(client, run)[-1] == "one two three four five six"


def test_a_silent_model_still_lets_the_page_breathe(
    client: OpenAI, endpoint: ModelEndpoint
) -> None:
    endpoint.will_answer("Late.", initial_delay=1.0)

    texts = followed(client, started_run(client))

    assert texts.count("") > 1
    assert texts[-1] == "Late."


def test_a_cancelled_run_ends_the_following(client: OpenAI, endpoint: ModelEndpoint) -> None:
    endpoint.default_answer(tokens=500, token_delay=0.05)
    run = started_run(client)
    last = RunProgress()

    for last in follow_run(client, run.thread_id, run.id):
        if text_of(last) and last.run is not None and last.run.status == "in_progress":
            client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)

    assert last.run is not None
    assert last.run.status == "cancelled"


def test_a_run_that_waits_for_function_outputs_rests(
    client: OpenAI, endpoint: ModelEndpoint
) -> None:
    endpoint.will_call(("ask", {}))
    run = started_run(client)

    last = list(follow_run(client, run.thread_id, run.id))[-1]

    assert last.run is not None
    assert last.run.status == "requires_action"


def test_a_run_that_is_gone_is_refused(client: OpenAI) -> None:
    thread = client.beta.threads.create()

    with pytest.raises(openai.NotFoundError):
        list(follow_run(client, thread.id, "run_gone"))


def test_no_reader_is_left_behind(client: OpenAI, endpoint: ModelEndpoint) -> None:
    endpoint.default_answer("Late.", initial_delay=60)
    run = started_run(client)
    following = follow_run(client, run.thread_id, run.id)
    next(following)

    following.close()

    for reader in [one for one in threading.enumerate() if one.name == "run-events"]:
        reader.join(timeout=10)
        assert not reader.is_alive()
