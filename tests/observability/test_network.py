"""Nine network conditions: no run is delayed or failed, nothing is lost, nothing is left behind."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lib.observability import delivery
from lib.observability.trace_ids import trace_id_of
from tests.conftest import StartServer
from tests.doubles.model_endpoint import ModelEndpoint
from tests.doubles.trace_receiver import BlackHole, Receiver
from tests.servers import ThreadServer

PATIENCE = 60.0
NEVER_BLOCKED = 5.0
"""Seconds: far less than the ten that a destination is given to answer."""


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "_FIRST_PAUSE", 0.05)
    monkeypatch.setattr(delivery, "_LONGEST_PAUSE", 0.2)


def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@contextmanager
def network(condition: str) -> Iterator[dict[str, Any]]:
    """Settings of a server whose AgentOps is in that condition."""
    with Receiver() as receiver, BlackHole() as hole:
        url = {
            "refused": closed_port(),
            "DNS": "http://agentops.invalid",
            "dropped packets": hole.url,
        }.get(condition, receiver.url)
        receiver.fails_with = {"401": 401, "503": 503}.get(condition)
        receiver.hangs = condition == "hang"
        settings = {"agentops_api_endpoint": url, "agentops_exporter_endpoint": url}
        if condition == "no key":
            yield settings
        else:
            yield {**settings, "agentops_api_key": receiver.key}


def ask(server: ThreadServer) -> Any:
    client = server.client()
    assistant = client.beta.assistants.create(model="gpt-4o-mini")
    return client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": "Hello"}]},
        poll_interval_ms=5,
    )


def state_of(server: ThreadServer) -> Any:
    with server.http() as http:
        return http.get("health").json()["traces"]["agentops"]


def wait_for_phase(server: ThreadServer, *phases: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while (state := state_of(server))["phase"] not in phases:
        assert time.monotonic() < deadline, state
        time.sleep(0.05)
    return state


CONDITIONS = {
    "no key": "off",
    "401": "refused",
    "503": "unreachable",
    "refused": "unreachable",
    "DNS": "unreachable",
    "hang": "ready",
    "dropped packets": "ready",
    "ok": "ready",
}


@pytest.mark.parametrize("condition", list(CONDITIONS))
def test_a_run_neither_waits_for_its_trace_nor_fails_with_it(
    condition: str, start_server: StartServer
) -> None:
    with network(condition) as settings:
        server = start_server(**settings)

        runs = [ask(server) for _ in range(3)]

        assert [run.status for run in runs] == ["completed"] * 3
        state = wait_for_phase(server, CONDITIONS[condition])
        assert state["message"]
        began = time.monotonic()
        server.__exit__(None, None, None)
        assert time.monotonic() - began < NEVER_BLOCKED
        assert not [
            thread.name
            for thread in threading.enumerate()
            if "otel" in thread.name.lower() or "BatchSpan" in thread.name
        ]


def test_a_token_that_is_revoked_later_is_bought_anew(start_server: StartServer) -> None:
    with Receiver() as receiver:
        server = start_server(
            agentops_api_key=receiver.key,
            agentops_api_endpoint=receiver.url,
            agentops_exporter_endpoint=receiver.url,
        )
        receiver.wait_for(f"{trace_id_of(ask(server).id):032x}")
        receiver.revoke_tokens()

        run = ask(server)

        receiver.wait_for(f"{trace_id_of(run.id):032x}")
        assert receiver.logins == 2


@pytest.mark.parametrize("failure", [401, 503])
def test_nothing_is_lost_when_the_network_returns(failure: int, start_server: StartServer) -> None:
    with Receiver() as receiver:
        receiver.fails_with = failure
        server = start_server(
            agentops_api_key=receiver.key,
            agentops_api_endpoint=receiver.url,
            agentops_exporter_endpoint=receiver.url,
        )
        runs = [ask(server) for _ in range(5)]
        wait_for_phase(server, "refused", "unreachable")

        receiver.fails_with = None

        for run in runs:
            receiver.wait_for(f"{trace_id_of(run.id):032x}")


def test_what_had_not_arrived_before_a_restart_arrives_after_it(
    start_server: StartServer, endpoint: ModelEndpoint
) -> None:
    endpoint.default_answer("Hello.")
    with Receiver() as receiver:
        first = start_server(agentops_api_key=receiver.key, **_all_at(closed_port()))
        run = ask(first)
        first.__exit__(None, None, None)

        start_server(agentops_api_key=receiver.key, **_all_at(receiver.url))

        receiver.wait_for(f"{trace_id_of(run.id):032x}")


def _all_at(url: str) -> dict[str, str]:
    return {"agentops_api_endpoint": url, "agentops_exporter_endpoint": url}
