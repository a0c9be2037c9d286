"""Keys: closed where API_KEYS is set, open where it is not."""

import pytest

from tests.conftest import StartServer
from tests.servers import ThreadServer

KEYS = "sk-first, sk-second"


@pytest.mark.parametrize("key", ["sk-first", "sk-second"])
def test_each_of_the_keys_is_accepted(start_server: StartServer, key: str) -> None:
    client = start_server(api_keys=KEYS).client().with_options(api_key=key)

    assert client.beta.threads.create().id.startswith("thread_")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer sk-wrong"},
        {"Authorization": "Bearer sk-firs"},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic sk-first"},
        {"Authorization": "sk-first"},
        {"Authorization": "Bearer sk-first, sk-second"},
    ],
)
def test_without_a_key_nothing_is_answered(
    start_server: StartServer, headers: dict[str, str]
) -> None:
    with start_server(api_keys=KEYS).http(**headers) as http:
        answers = [
            http.get("assistants"),
            http.get("models"),
            http.get("health"),
            http.post("threads"),
            http.post("assistants", content=b"{broken"),
            http.get("threads/thread_x/runs/run_x/events"),
            http.get("models/docs"),
        ]

    for answer in answers:
        assert answer.status_code == 401, answer.url
        assert answer.json()["error"]["code"] == "invalid_api_key"
        assert "sk-" not in answer.text


def test_the_docs_are_open_to_browsers_which_have_no_key(start_server: StartServer) -> None:
    with start_server(api_keys=KEYS).http() as http:
        assert http.get("docs").status_code == 200
        assert http.get("openapi.json").status_code == 200
        assert http.get("static-offline-docs/swagger-ui.css").status_code == 200


def test_without_api_keys_any_key_and_none_are_accepted(server: ThreadServer) -> None:
    with server.http() as without, server.http(Authorization="Bearer whatever") as with_key:
        assert without.get("assistants").status_code == 200
        assert with_key.get("assistants").status_code == 200
