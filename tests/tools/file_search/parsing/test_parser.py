"""Every format is read, and no file hurts the app."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from lib.tools.file_search.child_process import Bounds
from lib.tools.file_search.parsing import parser
from lib.tools.file_search.parsing.document import ParseFailure
from lib.tools.file_search.parsing.parser import Parser, parse_file
from tests.tools.file_search import documents


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A file that is never read to its end."""
    path = tmp_path / "endless"
    os.mkfifo(path)
    return path


parsers_of_others: list[psutil.Process] = []


@pytest.fixture(autouse=True)
def _know_the_parsers_of_others() -> None:
    parsers_of_others.clear()
    parsers_of_others.extend(parsers())


async def processes_started() -> list[psutil.Process]:
    """The processes that are parsing a file, once they are under way."""
    while len(started := parsers()) < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    return started


def autogroup_of(process: psutil.Process) -> str:
    """The niceness of its session as a whole; empty where the kernel has no such thing."""
    group = Path(f"/proc/{process.pid}/autogroup")
    return group.read_text().split()[-1] if group.exists() else ""


def parsers() -> list[psutil.Process]:
    """Of this test; servers that other tests have started may keep parsers of their own."""
    started = psutil.Process().children(recursive=True)
    return [
        each
        for each in started
        if parser.CHILD_MODULE in _command(each) and each not in parsers_of_others
    ]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        # It has ended, whoever's it was.
        return []


def still_running(processes: list[psutil.Process]) -> list[psutil.Process]:
    _, alive = psutil.wait_procs(processes, timeout=10)
    return [each for each in alive if each.status() != psutil.STATUS_ZOMBIE]


async def failure_of(path: Path, filename: str) -> ParseFailure:
    with pytest.raises(ParseFailure) as raised:
        await parse_file(path, filename)
    assert raised.value.reason.endswith(".")
    assert "Traceback" not in raised.value.reason
    return raised.value


async def test_a_pdf_keeps_its_pages(tmp_path: Path) -> None:
    path = documents.pdf(tmp_path / "a.pdf", ["First page here.", "", "Third page here."])

    document = await parse_file(path, "paper.pdf")

    assert [page.number for page in document.pages] == [1, 2, 3]
    assert "First page" in document.pages[0].text
    assert "Third page" in document.pages[2].text


async def test_slides_are_pages(tmp_path: Path) -> None:
    path = documents.slides(tmp_path / "a.pptx", ["Opening", "Closing"])

    document = await parse_file(path, "talk.pptx")

    assert [(page.number, page.text) for page in document.pages] == [
        (1, document.pages[0].text),
        (2, document.pages[1].text),
    ]
    assert "Opening" in document.pages[0].text
    assert "Closing" in document.pages[1].text


async def test_a_word_document_and_a_workbook_are_read(tmp_path: Path) -> None:
    word = documents.word(tmp_path / "a.docx", ["The quick brown fox.", "Second paragraph."])
    book = documents.workbook(tmp_path / "a.xlsx", {"Prices": [["Item", "Cost"], ["Pear", 3]]})

    word_text = (await parse_file(word, "a.docx")).text
    book_text = (await parse_file(book, "a.xlsx")).text

    assert "The quick brown fox." in word_text
    assert "Second paragraph." in word_text
    assert "Prices" in book_text
    assert "Pear" in book_text


async def test_a_web_page_loses_its_scripts_and_styles(tmp_path: Path) -> None:
    path = tmp_path / "page"
    path.write_text(
        "<html><head><style>p{color:red}</style><script>steal()</script></head>"
        "<body><h1>Opening hours</h1><p onclick='steal()'>Nine to five.</p>"
        "<img src='http://127.0.0.1:9/pixel.png'><script>steal()</script></body></html>"
    )

    text = (await parse_file(path, "page.html")).text

    assert "Opening hours" in text
    assert "Nine to five." in text
    assert "steal" not in text
    assert "color:red" not in text
    assert "127.0.0.1" not in text


async def test_every_csv_row_carries_its_column_names_and_formulas_stay_text(
    tmp_path: Path,
) -> None:
    path = tmp_path / "stock"
    path.write_text('item,count\npear,3\n=HYPERLINK("http://x";1),+1\n')

    text = (await parse_file(path, "stock.csv")).text

    assert "item: pear, count: 3" in text
    assert "item: =HYPERLINK" in text


@pytest.mark.parametrize(
    ("filename", "content", "expected"),
    [
        ("notes.md", b"# Title\n\nBody", "# Title\n\nBody"),
        ("code.py", b"def add(a, b):\r\n    return a + b", "def add(a, b):\n    return a + b"),
        ("bom.txt", "\ufeffhello".encode(), "hello"),
        ("wide.txt", "grüße".encode("utf-16"), "grüße"),
        ("control.txt", b"a\x07b\x00c", "abc"),
        ("small.json", b'{"a":{"b":1}}', '{\n "a": {\n  "b": 1\n }\n}'),
        ("lines.json", b'{"a":1}\n{"a":2}', '{"a":1}\n{"a":2}'),
        ("UPPER.TXT", b"case", "case"),
    ],
)
async def test_text_formats_are_read_as_they_are(
    tmp_path: Path, filename: str, content: bytes, expected: str
) -> None:
    path = tmp_path / "stored"
    path.write_bytes(content)

    assert (await parse_file(path, filename)).text == expected


async def test_old_windows_text_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "stored"
    path.write_bytes(("Die Höhe der Gebühr beträgt fünf Euro für Schüler. " * 20).encode("cp1252"))

    assert "Gebühr beträgt fünf" in (await parse_file(path, "old.txt")).text


def _encrypted(folder: Path) -> Path:
    return documents.pdf(folder / "stored", ["secret"], password="pass")


def _corrupt_pdf(folder: Path) -> Path:
    path = documents.pdf(folder / "stored", ["text"])
    path.write_bytes(b"%PDF-1.4\n" + os.urandom(5000))
    return path


def _scanned(folder: Path) -> Path:
    return documents.pdf(folder / "stored", ["", ""])


def _corrupt_word(folder: Path) -> Path:
    path = documents.word(folder / "stored", ["text"])
    path.write_bytes(path.read_bytes()[:2000])
    return path


def _written(content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / "stored"
        path.write_bytes(content)
        return path

    return write


def _pdf_bomb(folder: Path) -> Path:
    return documents.pdf_bomb(folder / "stored", 600)


def _workbook_bomb(folder: Path) -> Path:
    return documents.workbook_bomb(folder / "stored", 300)


def _gigabyte(folder: Path) -> Path:
    path = folder / "stored"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    return path


@pytest.mark.parametrize(
    ("make", "filename", "code", "says"),
    [
        (_encrypted, "a.pdf", "invalid_file", "password"),
        (_corrupt_pdf, "a.pdf", "invalid_file", "damaged"),
        (_scanned, "a.pdf", "unsupported_file", "2 pages but no text: it looks scanned"),
        (_corrupt_word, "a.docx", "invalid_file", "damaged"),
        (_written(b""), "a.txt", "invalid_file", "empty"),
        (_written(b" \n\t "), "a.md", "invalid_file", "no text"),
        (_written(b"\x00\xff\xfe\x80" * 500), "a.txt", "invalid_file", "not text"),
        (_written(b"%PDF-1.4 x"), "a.txt", "invalid_file", "is a PDF"),
        (_written(b"just text"), "a.pdf", "invalid_file", "not a PDF"),
        (_written(b"just text"), "a.docx", "invalid_file", "not an Office document"),
        (_written(b"\x89PNG\r\n\x1a\n"), "a.md", "invalid_file", "PNG"),
        (_written(b"x"), "a.exe", "unsupported_file", ".exe"),
        (_written(b"x"), "noextension", "unsupported_file", "without an extension"),
        (_written(b"x"), "../../etc/passwd\x00.exe", "unsupported_file", "cannot be searched"),
        (_pdf_bomb, "a.pdf", "invalid_file", ""),
        (_workbook_bomb, "a.xlsx", "invalid_file", ""),
        (_gigabyte, "a.txt", "invalid_file", "512 MB"),
    ],
    ids=lambda value: value if isinstance(value, str) and value else None,
)
async def test_a_hostile_file_ends_with_a_reason(
    tmp_path: Path, make: Callable[[Path], Path], filename: str, code: str, says: str
) -> None:
    path = make(tmp_path)

    failure = await failure_of(path, filename)

    assert failure.code == code
    assert says in failure.reason


async def test_deeply_nested_json_is_read_as_text(tmp_path: Path) -> None:
    path = tmp_path / "stored"
    path.write_text("[" * 200_000 + "]" * 200_000)

    assert (await parse_file(path, "deep.json")).text.startswith("[[[")


async def test_a_missing_file_is_the_servers_fault(tmp_path: Path) -> None:
    failure = await failure_of(tmp_path / "gone", "a.txt")

    assert failure.code == "server_error"


async def test_a_parser_that_hangs_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parser, "BOUNDS", Bounds(wall_seconds=0.5, answer_bytes=1000))
    pipe = tmp_path / "stored"
    os.mkfifo(pipe)

    failure = await failure_of(pipe, "a.txt")

    assert "too long" in failure.reason


async def test_the_event_loop_stays_free_and_a_cancelled_parse_leaves_no_process(
    endless: Path,
) -> None:
    parsing = asyncio.create_task(parse_file(endless, "a.txt"))
    started = await processes_started()

    parsing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await parsing

    assert len(started) == 2
    assert still_running(started) == []


async def test_the_parser_has_a_lower_priority_than_the_app(endless: Path) -> None:
    parsing = asyncio.create_task(parse_file(endless, "a.txt"))

    started = await processes_started()
    priorities = {process.nice() for process in started}
    weights = {autogroup_of(process) for process in started}

    parsing.cancel()
    await asyncio.wait([parsing])
    assert priorities == {min(os.nice(0) + 10, 19)}
    # Alone in its session, its priority would be weighed against nobody's.
    assert weights <= {"", str(min(os.nice(0) + 10, 19))}


async def test_a_parser_that_was_killed_while_it_waited_harms_no_file(tmp_path: Path) -> None:
    good = tmp_path / "good"
    good.write_text("hello")
    several = Parser()
    await several.parse_file(good, "a.txt")
    [waiting] = parsers()

    waiting.kill()
    after = await several.parse_file(good, "a.txt")

    await several.close()
    assert after.pages[0].text == "hello"


async def test_a_file_that_ends_its_process_leaves_the_next_files_unharmed(
    tmp_path: Path, endless: Path
) -> None:
    good = tmp_path / "good"
    good.write_text("hello")
    bomb = documents.workbook_bomb(tmp_path / "bomb", 300)
    several = Parser()

    before = await several.parse_file(good, "a.txt")
    with pytest.raises(ParseFailure):
        await several.parse_file(bomb, "a.xlsx")
    cancelled = asyncio.create_task(several.parse_file(endless, "a.txt"))
    await processes_started()
    cancelled.cancel()
    await asyncio.wait([cancelled])
    after = await several.parse_file(good, "a.txt")

    assert before.text == after.text == "hello"
    await several.close()


async def test_files_at_once_are_parsed_side_by_side_and_none_gets_the_text_of_another(
    tmp_path: Path,
) -> None:
    paths = [tmp_path / str(number) for number in range(20)]
    for path in paths:
        path.write_text(f"This is file {path.name}.")
    several = Parser()

    parsed = await asyncio.gather(*(several.parse_file(path, "a.txt") for path in paths))

    assert [each.text for each in parsed] == [path.read_text() for path in paths]
    started = parsers()
    await several.close()
    assert still_running(started) == []


async def test_the_parser_sees_none_of_the_apps_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    environments: list[dict[str, str]] = []
    real = asyncio.create_subprocess_exec

    async def spy(*arguments: str, **options: object) -> asyncio.subprocess.Process:
        environments.append(options["env"])  # type: ignore[arg-type]
        return await real(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", spy)
    path = tmp_path / "stored"
    path.write_text("hello")

    await parse_file(path, "a.txt")

    assert "OPENAI_API_KEY" not in environments[0]
