"""AgentOps behind a network in one of nine conditions, and the same address in a good one.

python -m tests.doubles.trace_network CONDITION prints the settings that lead to it, as JSON, and
serves until its standard input ends.
"""

import json
import socket
import sys
import threading
from contextlib import ExitStack
from typing import Self

from tests.doubles.trace_receiver import BlackHole, Receiver

CONDITIONS = (
    "no key",
    "401",
    "401 later",
    "503",
    "refused",
    "DNS",
    "hang",
    "dropped packets",
    "ok",
)
UNKNOWN_HOST = "agentops.invalid"
_REVOKED_EVERY = 0.25


class Network:
    """In its condition from `__enter__` until `comes_back`.

    DNS fails by itself, as no resolver knows the name; its way back is the tests' resolver.
    """

    def __init__(self, condition: str) -> None:
        self.condition = condition
        self.receiver = Receiver(
            fails_with={"401": 401, "503": 503}.get(condition), hangs=condition == "hang"
        )
        self._open = ExitStack()
        self._hole: BlackHole | None = None

    @property
    def settings(self) -> dict[str, str]:
        """Of a server whose traces go there."""
        host = UNKNOWN_HOST if self.condition == "DNS" else "127.0.0.1"
        url = f"http://{host}:{self.receiver.port}"
        addresses = {"agentops_api_endpoint": url, "agentops_exporter_endpoint": url}
        key = {} if self.condition == "no key" else {"agentops_api_key": self.receiver.key}
        return addresses | key

    def revoke_tokens_for_ever(self) -> None:
        """401 later, again and again."""
        while not self.receiver.stopped.wait(_REVOKED_EVERY):
            self.receiver.revoke_tokens()

    def comes_back(self) -> None:
        """The service answers at the address where it could not be reached."""
        self.receiver.fails_with, self.receiver.hangs = None, False
        if self._hole:
            self._hole.__exit__()
        if self.condition in ("refused", "dropped packets"):
            self._open.enter_context(self.receiver)

    def __enter__(self) -> Self:
        if self.condition == "refused":
            self.receiver.port = _port_without_listener()
        elif self.condition == "dropped packets":
            self._hole = self._open.enter_context(BlackHole())
            self.receiver.port = self._hole.port
        else:
            self._open.enter_context(self.receiver)
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.close()


def _port_without_listener() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main() -> None:
    with Network(sys.argv[1]) as network:
        if network.condition == "401 later":
            threading.Thread(target=network.revoke_tokens_for_ever, daemon=True).start()
        print(json.dumps(network.settings), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
