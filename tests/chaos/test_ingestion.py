"""Knowledge files against all odds: a killed server, and files that mean harm."""

import io
import time
import zipfile
from typing import Any

import pytest
from openai import OpenAI

from tests.conftest import StartProcess

_FILES = 200
_WITHIN = 300.0


def wait_for_batch(client: OpenAI, store_id: str, batch_id: str) -> Any:
    deadline = time.monotonic() + _WITHIN
    while True:
        batch = client.vector_stores.file_batches.retrieve(batch_id, vector_store_id=store_id)
        if batch.status != "in_progress":
            return batch
        assert time.monotonic() < deadline, batch
        time.sleep(0.2)


@pytest.mark.timeout(600)
def test_every_file_of_a_batch_ends_once_though_the_server_is_killed(
    start_process: StartProcess,
) -> None:
    first = start_process()
    client = first.client()
    ids = [
        client.files.create(
            file=(f"note{number}.txt", f"Note {number} is about subject{number}.".encode()),
            purpose="assistants",
        ).id
        for number in range(_FILES)
    ]
    store = client.vector_stores.create()
    batch = client.vector_stores.file_batches.create(store.id, file_ids=ids)
    # Somewhere in the middle, wherever that is on this machine.
    while batch.file_counts.completed < 20:
        batch = client.vector_stores.file_batches.retrieve(batch.id, vector_store_id=store.id)
    first.kill()

    client = start_process().client()
    ended = wait_for_batch(client, store.id, batch.id)

    failures = client.vector_stores.files.list(store.id, filter="failed")
    assert [file.last_error for file in failures] == []
    assert ended.file_counts.completed == ended.file_counts.total == _FILES
    listed = [file.id for file in client.vector_stores.files.list(store.id, limit=100)]
    assert sorted(listed) == sorted(ids)
    for number in (0, 7, 19, 20, 21, 111, _FILES - 1):
        found = client.vector_stores.search(store.id, query=f"subject{number}").data
        assert [result.filename for result in found] == [f"note{number}.txt"]


def _zip_bomb() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 300_000_000)
    return packed.getvalue()


@pytest.mark.timeout(600)
def test_hostile_files_end_with_a_reason_and_the_server_answers_meanwhile(
    start_process: StartProcess,
) -> None:
    server = start_process()
    client = server.client()
    hostile = {
        "empty.txt": b"\n",
        "binary.md": bytes(range(256)) * 100,
        "torn.pdf": b"%PDF-1.7\n1 0 obj\n<<",
        "picture.docx": b"\x89PNG\r\n\x1a\n" + b"0" * 100,
        "bomb.xlsx": _zip_bomb(),
        "torn.docx": b"PK\x03\x04" + b"\x00" * 50,
        "..\\..\\name\u202e\x07.exe": b"MZ",
        "deep.json": b"[" * 100_000,
    }
    harmless = {
        "page.html": b"<script>alert(1)</script><p>The <b>harbour</b> opens.</p>",
        "formula.csv": b"name,value\n=HYPERLINK(1),harbour\n",
    }
    store = client.vector_stores.create()

    slowest = 0.0
    for name, data in (hostile | harmless).items():
        uploaded = client.files.create(file=(name, data), purpose="assistants")
        client.vector_stores.files.create(store.id, file_id=uploaded.id)
    deadline = time.monotonic() + _WITHIN
    while client.vector_stores.retrieve(store.id).status == "in_progress":
        began = time.monotonic()
        client.beta.assistants.list()
        slowest = max(slowest, time.monotonic() - began)
        assert time.monotonic() < deadline
        time.sleep(0.1)

    names = {file.id: file.filename for file in client.files.list()}
    failed = client.vector_stores.files.list(store.id, filter="failed", limit=100).data
    completed = client.vector_stores.files.list(store.id, filter="completed", limit=100).data
    assert {names[file.id] for file in completed} >= set(harmless)
    for file in failed:
        assert file.last_error is not None
        assert file.last_error.code in ("invalid_file", "unsupported_file")
        assert file.last_error.message.endswith(".")
        assert "Traceback" not in file.last_error.message
    assert {"torn.pdf", "picture.docx", "bomb.xlsx", "torn.docx"} <= {
        names[file.id] for file in failed
    }
    assert all("/" not in name and "\\" not in name for name in names.values())
    found = client.vector_stores.search(store.id, query="harbour").data
    assert {result.filename for result in found} == set(harmless)
    assert "alert" not in "".join(part.text for result in found for part in result.content)
    assert "Traceback" not in server.console
    assert slowest < 5.0
