"""Finds out, once, which way of sandboxing works here, by running code in it."""

import logging
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lib.tools.code_interpreter.limits import Limits
from lib.tools.code_interpreter.sandbox import bubblewrap, linux
from lib.tools.code_interpreter.sandbox.local import LocalSandboxes
from lib.tools.code_interpreter.sandbox.protocol import SandboxError

Choice = Literal["auto", "bubblewrap", "landlock", "off"]
Tier = Literal["bubblewrap", "landlock"]

_REMEDY = (
    "Install bubblewrap where user namespaces are allowed, or run on Linux 5.19 or newer with "
    "Landlock enabled; in Docker, add --security-opt seccomp=unconfined or update the host"
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Status:
    """Which sandbox is active, and why."""

    tier: Tier | None
    """None: code cannot be run."""
    reason: str
    """One sentence for people; when there is no tier, it names the remedy."""


async def find(choice: Choice, files: Path, limits: Limits) -> tuple[LocalSandboxes | None, Status]:
    """Sandboxes of the best kind that works here, started; None with the reason otherwise."""
    if choice == "off":
        return None, Status(
            None, "Code Interpreter is switched off: set CODE_INTERPRETER=auto to switch it on."
        )
    problems = []
    if problem := _wrong_machine():
        problems.append(problem)
    else:
        for name, tier, bwrap in _candidates(choice):
            try:
                return await _proven(LocalSandboxes(files, limits, bwrap)), _working(
                    tier, name, problems
                )
            except SandboxError as refusal:
                problems.append(f"{name}: {refusal}")
                _log.info("The sandbox by %s does not work here: %s", name, refusal)
    return None, Status(
        None, f"Code Interpreter is off: no sandbox works here ({'; '.join(problems)}). {_REMEDY}."
    )


def _wrong_machine() -> str | None:
    if platform.system() != "Linux":
        return f"{platform.system()} has none of the kernel's means"
    try:
        linux.machine_index()
    except linux.UnsupportedMachineError as problem:
        return str(problem)
    return None


def _candidates(choice: Choice) -> Iterator[tuple[str, Tier, str | None]]:
    if choice in ("auto", "bubblewrap"):
        for program in bubblewrap.find_programs():
            yield f"bubblewrap ({program})", "bubblewrap", program
    if choice in ("auto", "landlock"):
        yield "Landlock", "landlock", None


def _working(tier: Tier, name: str, problems: list[str]) -> Status:
    reason = f"Code runs in a sandbox by {name}"
    return Status(tier, f"{reason}; not by {'; '.join(problems)}." if problems else f"{reason}.")


async def _proven(sandboxes: LocalSandboxes) -> LocalSandboxes:
    """The same, after code has run in it and could not do what no sandbox may allow."""
    try:
        await sandboxes.start()
        await sandboxes.prove()
    except BaseException:
        await sandboxes.close()
        raise
    return sandboxes
