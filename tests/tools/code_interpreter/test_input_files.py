"""Names and places of files that go in."""

import os
from pathlib import Path

import pytest

from lib.tools.code_interpreter.input_files import place, safe_name


@pytest.mark.parametrize(
    ("name", "safe", "why"),
    [
        ("sales.csv", "sales.csv", "a plain name stays"),
        ("Überblick 2024.xlsx", "Überblick 2024.xlsx", "letters of any language stay"),
        ("../../etc/passwd", "passwd", "a way up"),
        ("/etc/shadow", "shadow", "an absolute path"),
        ("C:\\Users\\me\\a.txt", "a.txt", "a path of another system"),
        ("a\nb\x00c.csv", "a_b_c.csv", "line breaks and zeros"),
        ("evil\u202egnp.exe", "evil_gnp.exe", "a reversal of the reading direction"),
        ("..", "file", "the directory above"),
        (".", "file", "the directory itself"),
        ("", "file", "no name"),
        ("dir/", "file", "nothing after the slash"),
        ("   ", "file", "only spaces"),
    ],
)
def test_names_are_made_safe(name: str, safe: str, why: str) -> None:
    assert safe_name(name) == safe, why


def test_a_long_name_keeps_its_extension() -> None:
    name = safe_name("ä" * 300 + ".csv")

    assert name.endswith(".csv")
    assert len(name.encode()) <= 200


def test_a_planted_link_is_neither_followed_nor_replaced(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("untouched")
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.csv").symlink_to(secret)

    name = place(data, "a.csv", b"input")

    assert name == "a (2).csv"
    assert secret.read_text() == "untouched"
    assert (data / "a.csv").is_symlink()


def test_a_planted_pipe_does_not_hold_the_host(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.csv")

    assert place(tmp_path, "a.csv", b"input") == "a (2).csv"
