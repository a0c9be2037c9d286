"""The extensions that show a quote where it stands."""

import io
from pathlib import Path
from urllib.parse import urlencode

import httpx2
import numpy as np
import pytest
from openai import OpenAI
from PIL import Image

from tests.servers import ThreadServer
from tests.tools.file_search import documents

PAGES = ["Nothing to see here.", "The harbour opens at nine. Boats pay five crowns."]
OPENS = "The harbour opens at nine."
NOTES = "Cats sleep.\n" * 300 + "The quick brown fox\njumps over the dog.\n" + "Dogs run.\n" * 300


@pytest.fixture
def paper(client: OpenAI, tmp_path: Path) -> str:
    path = documents.pdf(tmp_path / "paper.pdf", PAGES)
    return client.files.create(file=path, purpose="assistants").id


def get(server: ThreadServer, path: str, **query: str | list[str]) -> httpx2.Response:
    with server.http() as http:
        return http.get(f"files/{path}?{urlencode(query, doseq=True)}")


def yellow_dots(content: bytes) -> int:
    dots = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)
    return int(((dots[..., 2] < 150) & (dots[..., 0] > 200)).sum())


def test_a_page_is_drawn_with_the_quote_highlighted(server: ThreadServer, paper: str) -> None:
    plain = get(server, f"{paper}/pages/2")
    marked = get(server, f"{paper}/pages/2", quote=OPENS)

    assert plain.headers["content-type"] == marked.headers["content-type"] == "image/png"
    assert plain.headers["x-quote-marked"] == "none"
    assert marked.headers["x-quote-marked"] == "whole"
    assert yellow_dots(plain.content) == 0
    assert yellow_dots(marked.content) > 1000


def test_several_quotes_are_highlighted_at_once(server: ThreadServer, paper: str) -> None:
    one = get(server, f"{paper}/pages/2", quote=OPENS)
    both = get(server, f"{paper}/pages/2", quote=[OPENS, "Boats pay five crowns."])

    assert yellow_dots(both.content) > yellow_dots(one.content)


def test_a_quote_that_is_not_on_the_page_leaves_it_plain(server: ThreadServer, paper: str) -> None:
    answer = get(server, f"{paper}/pages/1", quote=OPENS)

    assert answer.status_code == 200
    assert answer.headers["x-quote-marked"] == "none"


def test_a_page_that_there_is_not_is_said_in_words(server: ThreadServer, paper: str) -> None:
    for number in (0, 3, -1):
        answer = get(server, f"{paper}/pages/{number}")

        assert answer.status_code == 404
        error = answer.json()["error"]
        assert error["message"] == f"There is no page {number}: the file has 2 pages."
        assert (error["type"], error["param"]) == ("invalid_request_error", "page")
        assert error["code"] == "no_such_page"


def test_what_has_no_pages_to_draw_says_so(
    server: ThreadServer, client: OpenAI, tmp_path: Path
) -> None:
    locked = documents.pdf(tmp_path / "locked.pdf", ["secret"], password="pass")
    sent = {
        "notes.txt": b"just text",
        "named.pdf": b"just text",
        "broken.pdf": b"%PDF-1.4\n" + bytes(range(256)) * 20,
        "locked.pdf": locked.read_bytes(),
    }

    answers = {
        name: get(
            server, client.files.create(file=(name, content), purpose="assistants").id + "/pages/1"
        )
        for name, content in sent.items()
    }

    assert {answer.status_code for answer in answers.values()} == {400}
    codes = {name: answer.json()["error"]["code"] for name, answer in answers.items()}
    assert codes == {
        "notes.txt": "not_a_pdf",
        "named.pdf": "not_a_pdf",
        "broken.pdf": "page_not_drawable",
        "locked.pdf": "page_not_drawable",
    }
    assert "password" in answers["locked.pdf"].json()["error"]["message"]


def test_a_file_that_there_is_not_is_told_from_a_page(server: ThreadServer) -> None:
    for path in ("file-none/pages/1", "file-none/passage?quote=cats"):
        answer = get(server, path)

        assert answer.status_code == 404
        assert "No file found with id 'file-none'" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("pages/first", {}),
        ("pages/1", {"quote": "x" * 2001}),
        ("pages/1", {"quote": ["x"] * 11}),
        ("passage", {}),
        ("passage", {"quote": ""}),
    ],
)
def test_questions_outside_the_limits_are_refused(
    server: ThreadServer, paper: str, path: str, query: dict[str, str | list[str]]
) -> None:
    answer = get(server, f"{paper}/{path}", **query)

    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_quote_comes_with_what_stands_around_it(server: ThreadServer, client: OpenAI) -> None:
    store = client.vector_stores.create()
    file = client.vector_stores.files.upload_and_poll(
        vector_store_id=store.id, file=("notes.txt", NOTES.encode())
    )

    passage = get(server, f"{file.id}/passage", quote="The quick brown fox jumps over").json()

    assert passage["object"] == "file.passage"
    assert passage["quote"] == "The quick brown fox\njumps over"
    assert passage["before"].startswith("Cats sleep.\n")
    assert passage["before"].endswith("Cats sleep.\n")
    assert passage["after"].startswith(" the dog.\nDogs run.")
    assert len(passage["before"]) < 800 > len(passage["after"])
    assert (passage["begins_at_edge"], passage["ends_at_edge"]) == (False, False)
    assert passage["is_whole_quote"]


def test_a_file_that_is_in_no_store_any_more_is_read_anew(
    server: ThreadServer, client: OpenAI, tmp_path: Path
) -> None:
    path = documents.word(tmp_path / "report.docx", ["First of all.", OPENS, "Last of all."])
    file_id = client.files.create(file=path, purpose="assistants").id

    passage = get(server, f"{file_id}/passage", quote=OPENS).json()

    assert passage["quote"] == OPENS
    assert "First of all." in passage["before"]
    assert "Last of all." in passage["after"]
    assert (passage["begins_at_edge"], passage["ends_at_edge"]) == (True, True)


def test_a_quote_that_is_nowhere_and_a_file_that_cannot_be_read_say_so(
    server: ThreadServer, client: OpenAI
) -> None:
    text = client.files.create(file=("notes.txt", b"Cats sleep."), purpose="assistants").id
    program = client.files.create(file=("setup.exe", b"MZ"), purpose="assistants").id

    missing = get(server, f"{text}/passage", quote="Elephants never forget a face")
    unread = get(server, f"{program}/passage", quote="Cats")

    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "quote_not_found")
    assert (unread.status_code, unread.json()["error"]["code"]) == (400, "unsupported_file")
