"""What is too large is refused with a clear error, and nothing of it is kept."""

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from openai import APIStatusError

from lib.api import body_limit
from tests.conftest import StartServer

_MB = 1024 * 1024
_FORM = (
    b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nassistants\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
)
_HEADERS = {"Content-Type": "multipart/form-data; boundary=x"}


def test_a_body_that_tells_a_size_above_the_largest_files_is_refused_unread(
    start_server: StartServer,
) -> None:
    parts = urlsplit(start_server().base_url)
    head = (
        f"POST {parts.path}/files HTTP/1.1\r\nHost: {parts.hostname}\r\n"
        f"Content-Type: {_HEADERS['Content-Type']}\r\nContent-Length: {1024 * _MB}\r\n\r\n"
    )

    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        connection.sendall(head.encode())
        answered = connection.recv(4096).decode()

    assert answered.startswith("HTTP/1.1 413")
    assert "a file may have at most 536,870,912 bytes (512 MB)." in answered


@pytest.mark.parametrize("is_told", [True, False])
def test_a_client_that_sends_too_much_all_the_same_gets_to_read_why(
    start_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_told: bool
) -> None:
    monkeypatch.setattr(body_limit, "_MAX_BYTES", _MB)
    server = start_server()
    told = {"Content-Length": str(len(_FORM) + 32 * _MB)} if is_told else {}

    def body() -> Iterator[bytes]:
        yield _FORM
        for _ in range(32):
            yield b"a" * _MB

    with server.http() as http:
        answered = http.post("files", content=body(), headers=_HEADERS | told)

    error = answered.json()["error"]
    assert answered.status_code == 413
    assert error["code"] == "file_too_large"
    assert error["message"].startswith("The request's body is too large")
    assert [path for path in (tmp_path / "data" / "files").rglob("*") if path.is_file()] == []
    assert list(server.client().files.list()) == []


def test_the_sdk_tells_that_a_file_is_too_large(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body_limit, "_MAX_BYTES", _MB)
    client = start_server().client()

    with pytest.raises(APIStatusError, match="too large") as refused:
        client.files.create(file=("a.txt", b"a" * 8 * _MB), purpose="assistants")

    assert refused.value.status_code == 413
