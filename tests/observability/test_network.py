"""Nine network conditions: no run waits or fails, nothing is lost, nothing is left behind.

How long anything takes is measured by `benchmarks/traces.py`.
"""

import socket
import threading
import time
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from anyio._core import _sockets as connections

from lib.observability import delivery, destinations
from lib.observability.trace_ids import trace_id_of
from tests.conftest import StartServer
from tests.doubles.model_endpoint import ModelEndpoint
from tests.doubles.trace_network import CONDITIONS, UNKNOWN_HOST, Network
from tests.servers import ThreadServer

PATIENCE = 60.0
resolve = connections.getaddrinfo
PHASES = {"no key": "off", "401": "refused", "401 later": "ready", "ok": "ready"}
"""What the server says of the condition; of all others that AgentOps is unreachable."""
TO_RETURN = [name for name in CONDITIONS if name not in ("no key", "ok")]


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "_FIRST_PAUSE", 0.05)
    monkeypatch.setattr(delivery, "_LONGEST_PAUSE", 0.2)


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A destination that does not answer is given up soon."""
    monkeypatch.setattr(destinations, "_TIMEOUT", httpx.Timeout(0.5))


@dataclass
class Resolver:
    """Answers for the network's resolver: the host is unknown until it is there."""

    is_there: bool = False

    async def getaddrinfo(self, host: Any, port: Any, **more: Any) -> Any:
        if host != UNKNOWN_HOST:
            return await resolve(host, port, **more)
        if not self.is_there:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return await resolve("127.0.0.1", port, **more)


@pytest.fixture(autouse=True)
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    resolver = Resolver()
    # Where every connection of the server asks for names; uvloop itself asks in C.
    monkeypatch.setattr(connections, "getaddrinfo", resolver.getaddrinfo)
    return resolver


def ask(server: ThreadServer, instructions: str = "Be brief.") -> Any:
    client = server.client()
    assistant = client.beta.assistants.create(model="gpt-4o-mini", instructions=instructions)
    return client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": "Hello"}]},
        poll_interval_ms=5,
    )


def state_of(server: ThreadServer) -> Any:
    with server.http() as http:
        return http.get("health").json()["traces"]["agentops"]


def wait_for_phase(server: ThreadServer, phase: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while (state := state_of(server))["phase"] != phase:
        assert time.monotonic() < deadline, state
        time.sleep(0.02)
    return state


def phase_of(condition: str) -> str:
    return PHASES.get(condition, "unreachable")


def wait_until_ended(threads: set[threading.Thread]) -> set[str]:
    """The names of those that go on for ever."""
    deadline = time.monotonic() + PATIENCE
    while (alive := {one for one in threads if one.is_alive()}) and time.monotonic() < deadline:
        time.sleep(0.02)
    return {thread.name for thread in alive}


@pytest.mark.usefixtures("short_patience")
@pytest.mark.parametrize("condition", CONDITIONS)
def test_runs_complete_whatever_the_network_is_like(
    condition: str, start_server: StartServer
) -> None:
    with Network(condition) as network:
        server = start_server(**network.settings)

        first = ask(server)
        network.receiver.revoke_tokens()
        later = [ask(server) for _ in range(2)]

        assert [run.status for run in (first, *later)] == ["completed"] * 3
        assert wait_for_phase(server, phase_of(condition))["message"]


def test_a_run_completes_while_the_trace_of_another_gets_no_answer(
    start_server: StartServer,
) -> None:
    with Network("hang") as network:
        server = start_server(**network.settings)
        ask(server)
        while not network.receiver.hanging:
            time.sleep(0.01)

        run = ask(server)

        assert run.status == "completed"
        assert network.receiver.hanging == 1
        assert state_of(server)["waiting"] == 2


@pytest.mark.parametrize("condition", CONDITIONS)
def test_the_server_ends_in_the_middle_of_a_delivery_and_leaves_no_thread(
    condition: str, start_server: StartServer
) -> None:
    before = set(threading.enumerate())
    with Network(condition) as network:
        server = start_server(**network.settings)
        ask(server)
        during = set(threading.enumerate())

        server.__exit__(None, None, None)

    assert wait_until_ended(during - before) == set()


@pytest.mark.usefixtures("short_patience")
@pytest.mark.parametrize("condition", TO_RETURN)
def test_nothing_is_lost_when_the_network_returns(
    condition: str, start_server: StartServer, resolver: Resolver
) -> None:
    with Network(condition) as network:
        server = start_server(**network.settings)
        runs = [ask(server) for _ in range(3)]
        wait_for_phase(server, phase_of(condition))
        network.receiver.revoke_tokens()

        network.comes_back()
        resolver.is_there = True
        runs.append(ask(server))

        for run in runs:
            network.receiver.wait_for(f"{trace_id_of(run.id):032x}")
        assert network.receiver.problems == []
        wait_for_phase(server, "ready")


def test_a_token_that_is_revoked_later_is_bought_anew(start_server: StartServer) -> None:
    with Network("401 later") as network:
        server = start_server(**network.settings)
        network.receiver.wait_for(f"{trace_id_of(ask(server).id):032x}")
        network.receiver.revoke_tokens()

        run = ask(server)

        network.receiver.wait_for(f"{trace_id_of(run.id):032x}")
        assert network.receiver.logins == 2


def test_what_had_not_arrived_before_a_restart_arrives_after_it(
    start_server: StartServer, endpoint: ModelEndpoint
) -> None:
    endpoint.default_answer("Hello.")
    with Network("refused") as network:
        first = start_server(**network.settings)
        run = ask(first)
        first.__exit__(None, None, None)
        network.comes_back()

        start_server(**network.settings)

        network.receiver.wait_for(f"{trace_id_of(run.id):032x}")


def test_traces_too_large_for_one_request_go_one_by_one_and_one_too_large_is_given_up(
    start_server: StartServer,
) -> None:
    with Network("503") as network:
        server = start_server(**network.settings, trace_content=True)
        large = ask(server, instructions="Be thorough. " * 5_000)
        small = [ask(server) for _ in range(12)]
        wait_for_phase(server, "unreachable")

        network.receiver.largest_body = 20_000
        network.comes_back()

        for run in small:
            network.receiver.wait_for(f"{trace_id_of(run.id):032x}")
        assert wait_for_phase(server, "ready")["waiting"] == 0
        with server.http() as http:
            trace = http.get(f"threads/{large.thread_id}/runs/{large.id}/trace").json()
        assert trace["delivered_at"] == {}
        assert "413" in trace["refusals"]["agentops"]
        assert trace["url"] is None
