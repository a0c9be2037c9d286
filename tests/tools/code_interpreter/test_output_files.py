"""What is taken out of a directory that hostile code has written."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from lib.tools.code_interpreter.limits import MIB, Limits
from lib.tools.code_interpreter.output_files import collect, snapshot

SECRET = "the host's secret"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "data").mkdir()
    (tmp_path / "copies").mkdir()
    return tmp_path / "data"


def _socket(path: Path) -> None:
    socket.socket(socket.AF_UNIX).bind(str(path))


PLANTED: list[tuple[str, Callable[[Path], object], str, str]] = [
    ("a.txt", lambda p: p.symlink_to("../secret"), "symbolic link", "a relative link out"),
    ("a.txt", lambda p: p.symlink_to("/etc/passwd"), "symbolic link", "an absolute link out"),
    ("a.txt", lambda p: p.symlink_to("/proc/self/environ"), "symbolic link", "a magic link"),
    ("a.txt", lambda p: p.symlink_to("/dev/zero"), "symbolic link", "an endless device"),
    ("a.txt", lambda p: p.symlink_to("a.txt"), "symbolic link", "a link to itself"),
    ("dir", lambda p: p.symlink_to(".."), "symbolic link", "a linked directory"),
    ("a.txt", lambda p: os.link(p.parent.parent / "secret", p), "hard link", "a hard link"),
    ("pipe", os.mkfifo, "not a regular file", "a pipe that blocks whoever opens it"),
    ("socket", _socket, "", "a socket"),
    (
        "huge",
        lambda p: os.truncate(os.open(p, os.O_CREAT | os.O_RDWR), 2 * MIB),
        "larger",
        "a sparse file beyond the limit",
    ),
    ("x" * 200, lambda p: _nested(p, 3), "too long", "a path beyond any use"),
]


def _nested(path: Path, depth: int) -> None:
    directory = path
    for _level in range(depth):
        directory = directory / ("y" * 200)
    directory.mkdir(parents=True)
    (directory / "file").write_text("deep")


@pytest.mark.parametrize(("name", "plant", "said", "why"), PLANTED, ids=[p[3] for p in PLANTED])
def test_what_is_no_honest_file_is_left_out_and_named(
    data: Path, name: str, plant: Callable[[Path], object], said: str, why: str
) -> None:
    plant(data / name)

    files, problems = collect(data, {}, Limits(file_bytes=MIB), data.parent / "copies")

    assert files == [], why
    assert said in " ".join(problems)
    assert list((data.parent / "copies").iterdir()) == []


def test_a_link_does_not_hide_the_honest_files_beside_it(data: Path) -> None:
    (data / "bad").symlink_to("/etc")
    (data / "good.txt").write_text("good")

    files, problems = collect(data, {}, Limits(), data.parent / "copies")

    assert [file.name for file in files] == ["good.txt"]
    assert len(problems) == 1


def test_names_are_shown_without_what_could_mislead(data: Path) -> None:
    (data / "a\nb\x1b[31m.txt").write_text("x")
    Path(os.fsdecode(os.fsencode(data) + b"/\xff\xfe.bin")).write_text("y")

    files, _problems = collect(data, {}, Limits(), data.parent / "copies")

    names = sorted(file.name for file in files)
    assert names == ["a_b_[31m.txt", "\ufffd\ufffd.bin"]


def test_the_number_of_files_is_bounded_and_the_rest_is_mentioned(data: Path) -> None:
    for number in range(8):
        (data / f"{number}.txt").write_text("x")

    files, problems = collect(data, {}, Limits(output_files=5), data.parent / "copies")

    assert len(files) == 5
    assert "at most 5" in problems[0]


def test_sparse_files_together_cannot_fill_the_hosts_disk(data: Path) -> None:
    for number in range(8):
        with (data / f"{number}.bin").open("wb") as file:
            file.truncate(MIB)
    limits = Limits(file_bytes=MIB, disk_bytes=3 * MIB)

    files, problems = collect(data, {}, limits, data.parent / "copies")

    assert len(files) == 3
    assert len(problems) == 5


def test_only_what_changed_since_the_snapshot_is_taken(data: Path) -> None:
    for name in ("same", "longer", "rewritten"):
        (data / name).write_text("old")
    before = snapshot(data)
    (data / "longer").write_text("longer")
    (data / "rewritten").unlink()
    (data / "rewritten").write_text("new")
    (data / "new").write_text("new")

    files, _problems = collect(data, before, Limits(), data.parent / "copies")

    assert sorted(file.name for file in files) == ["longer", "new", "rewritten"]


def test_a_bottomless_tree_is_refused_as_a_whole(data: Path) -> None:
    deep = data
    for _level in range(60):
        deep = deep / "d"
    deep.mkdir(parents=True)

    files, problems = collect(data, {}, Limits(), data.parent / "copies")

    assert files == []
    assert "too deep" in problems[0]
