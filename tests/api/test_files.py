import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from tests.servers import ThreadServer


def test_a_file_comes_back_as_it_was_sent(client: OpenAI) -> None:
    content = bytes(range(256)) * 5000

    file = client.files.create(file=("numbers.bin", content), purpose="assistants")

    assert (file.filename, file.bytes, file.purpose) == ("numbers.bin", 1_280_000, "assistants")
    assert client.files.retrieve(file.id) == file
    assert client.files.content(file.id).read() == content


def test_content_is_offered_as_a_download_and_never_shown_in_place(
    server: ThreadServer, client: OpenAI
) -> None:
    file = client.files.create(
        file=("page.html", b"<script>alert(1)</script>"), purpose="assistants"
    )

    with server.http() as http:
        answer = http.get(f"files/{file.id}/content")

    assert answer.headers["content-disposition"] == 'attachment; filename="page.html"'
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\notes.txt", "notes.txt"),
        ("über straße.csv", "über straße.csv"),
        ("a" * 400 + ".txt", "a" * 251 + ".txt"),
    ],
)
def test_a_file_name_loses_what_could_mislead(client: OpenAI, sent: str, kept: str) -> None:
    file = client.files.create(file=(sent, b"x"), purpose="assistants")

    assert file.filename == kept


def test_the_same_bytes_are_deleted_only_with_their_last_file(client: OpenAI) -> None:
    first = client.files.create(file=("a.txt", b"the same"), purpose="assistants")
    second = client.files.create(file=("b.txt", b"the same"), purpose="assistants")

    client.files.delete(first.id)

    assert client.files.content(second.id).read() == b"the same"
    with pytest.raises(NotFoundError, match="No file found with id"):
        client.files.retrieve(first.id)


def test_files_are_listed_by_purpose(client: OpenAI) -> None:
    seen = client.files.create(file=("seen.png", b"png"), purpose="vision")
    client.files.create(file=("read.txt", b"txt"), purpose="user_data")

    listed = [file.id for file in client.files.list(purpose="vision")]

    assert seen.id in listed
    assert all(client.files.retrieve(file_id).purpose == "vision" for file_id in listed)


def test_a_file_with_an_expiry_says_when_it_expires(client: OpenAI) -> None:
    file = client.files.create(
        file=("a.txt", b"x"),
        purpose="assistants",
        expires_after={"anchor": "created_at", "seconds": 3600},
    )

    assert file.expires_at == file.created_at + 3600


def test_an_unknown_purpose_is_refused(client: OpenAI) -> None:
    with pytest.raises(BadRequestError, match="Supported values are") as refused:
        client.files.create(file=("a.txt", b"x"), purpose="secrets")  # type: ignore[arg-type]

    assert refused.value.param == "purpose"
