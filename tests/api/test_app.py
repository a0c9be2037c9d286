"""What holds for every address: slashes, headers, unknown addresses and methods."""

import pytest

from tests.servers import ThreadServer


@pytest.mark.parametrize("path", ["assistants/", "threads/", "models/", "assistants//"])
def test_trailing_slashes_are_tolerated(server: ThreadServer, path: str) -> None:
    with server.http() as http:
        answer = http.get(path)

    assert answer.status_code == 200
    assert answer.json()["object"] == "list"


def test_trailing_slashes_are_tolerated_when_something_is_created(server: ThreadServer) -> None:
    with server.http() as http:
        assert http.post("threads/", json={}).status_code == 200


@pytest.mark.parametrize("beta", [None, "assistants=v2", "assistants=v1"])
def test_the_beta_header_is_accepted_and_not_required(
    server: ThreadServer, beta: str | None
) -> None:
    headers = {} if beta is None else {"OpenAI-Beta": beta}

    with server.http(**headers) as http:
        assert http.get("assistants").status_code == 200


@pytest.mark.parametrize("path", ["", "nothing", "assistants/a/b", "threads/t/runs/r/steps/s/x"])
def test_an_unknown_address_gets_the_envelope(server: ThreadServer, path: str) -> None:
    with server.http() as http:
        answer = http.get(path)

    assert answer.status_code == 404
    error = answer.json()["error"]
    assert error["code"] == "unknown_url" and error["type"] == "invalid_request_error"
    assert error["message"].startswith("Invalid URL (GET /v1")


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "assistants"), ("DELETE", "threads"), ("PATCH", "threads/t"), ("DELETE", "models")],
)
def test_a_method_that_is_not_allowed_gets_the_envelope(
    server: ThreadServer, method: str, path: str
) -> None:
    with server.http() as http:
        answer = http.request(method, path)

    assert answer.status_code == 405
    assert answer.json()["error"]["code"] == "method_not_supported"
    assert answer.headers["allow"]


def test_extensions_are_marked_in_the_docs(server: ThreadServer) -> None:
    with server.http() as http:
        paths = http.get("openapi.json").json()["paths"]
        assert http.get("docs").status_code == 200

    assert paths["/threads"]["get"]["tags"] == ["Threads", "Extensions"]
    assert paths["/threads"]["post"]["tags"] == ["Threads"]
