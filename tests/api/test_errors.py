"""Bad input of every kind: a 400 in the envelope, and never a 5xx."""

from typing import Any

import pytest

from tests.servers import ThreadServer

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{'model': 'm'}",
        b'{"model": "m",}',
        b"model=m",
        b"\xff\xfe",
        b'{"model": "\xed\xa0\x80"}',
        b"[" * 100_000,
    ],
    ids=["cut", "quotes", "comma", "form", "bytes", "bad UTF-8", "deep"],
)
@pytest.mark.parametrize("headers", [JSON, {}], ids=["as JSON", "untyped"])
def test_what_is_not_json_is_refused(
    server: ThreadServer, body: bytes, headers: dict[str, str]
) -> None:
    with server.http() as http:
        answer = http.post("assistants", content=body, headers=headers)

    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert "not valid" in error["message"]


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (b"", "nothing"),
        (b"null", "nothing"),
        (b"[]", "an array"),
        (b'"model"', "a string"),
        (b"5", "an integer"),
        (b"true", "a boolean"),
    ],
)
def test_a_body_that_is_no_object_is_refused(server: ThreadServer, body: bytes, sent: str) -> None:
    with server.http() as http:
        answer = http.post("assistants", content=body, headers=JSON)

    assert answer.status_code == 400
    assert answer.json()["error"] == {
        "message": f"The body must be a JSON object, but {sent} was sent.",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }


def test_the_whole_envelope_of_an_invalid_field(server: ThreadServer) -> None:
    with server.http() as http:
        answer = http.post("assistants", json={"model": "m", "name": "x" * 257})

    assert answer.status_code == 400
    assert answer.json() == {
        "error": {
            "message": "Invalid 'name': string too long. Expected a string with maximum length "
            "256, but got a string with length 257 instead.",
            "type": "invalid_request_error",
            "param": "name",
            "code": "string_above_max_length",
        }
    }


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({}, "model", "missing_required_parameter"),
        ({"model": ""}, "model", "string_below_min_length"),
        ({"model": None}, "model", "invalid_type"),
        ({"model": ["m"]}, "model", "invalid_type"),
        ({"description": "x" * 513}, "description", "string_above_max_length"),
        ({"instructions": "x" * 256_001}, "instructions", "string_above_max_length"),
        ({"tools": {}}, "tools", "invalid_type"),
        ({"tools": [{}]}, "tools[0].type", "missing_required_parameter"),
        ({"tools": [{"type": "browser"}]}, "tools[0].type", "invalid_value"),
        ({"tools": [{"type": "code_interpreter"}] * 129}, "tools", "array_above_max_length"),
        (
            {"tools": [{"type": "function"}]},
            "tools[0].function",
            "missing_required_parameter",
        ),
        (
            {"tools": [{"type": "file_search", "file_search": {"max_num_results": 51}}]},
            "tools[0].file_search.max_num_results",
            "integer_above_max_value",
        ),
        (
            {"tool_resources": {"code_interpreter": {"file_ids": ["f"] * 21}}},
            "tool_resources.code_interpreter.file_ids",
            "array_above_max_length",
        ),
        (
            {"tool_resources": {"file_search": {"vector_store_ids": ["a", "b"]}}},
            "tool_resources.file_search.vector_store_ids",
            "array_above_max_length",
        ),
        ({"metadata": []}, "metadata", "invalid_type"),
        ({"metadata": {"a": None}}, "metadata.a", "invalid_type"),
        ({"temperature": "1"}, "temperature", "invalid_type"),
        ({"temperature": 10**400}, "temperature", "invalid_type"),
        ({"response_format": "xml"}, "response_format", "invalid_value"),
        ({"reasoning_effort": "most"}, "reasoning_effort", "invalid_value"),
        ({"run_expires_after": 10**30}, "run_expires_after", "integer_above_max_value"),
    ],
)
def test_an_invalid_assistant_is_refused_with_the_field_and_a_code(
    server: ThreadServer, body: dict[str, Any], param: str, code: str
) -> None:
    sent = body if "model" in body or not body else {"model": "m"} | body

    with server.http() as http:
        answer = http.post("assistants", json=sent)

    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert (error["param"], error["code"]) == (param, code)


@pytest.mark.parametrize(
    "body",
    [
        rb'{"model": "\ud800"}',
        rb'{"model": "m", "name": "\ud800"}',
        rb'{"model": "m", "metadata": {"\ud800": "x"}}',
        rb'{"model": "m", "metadata": {"x": "\ud800"}}',
        rb'{"model": "m", "tools": [{"type": "function", "function": {"name": "f", '
        rb'"parameters": {"\ud800": 1}}}]}',
        rb'{"model": "m", "tools": [{"type": "function", "function": {"name": "f", '
        rb'"parameters": {"x": ["\udfff"]}}}]}',
        rb'{"model": "m", "response_format": {"type": "json_schema", "json_schema": '
        rb'{"name": "f", "schema": {"x": "\ud800"}}}}',
    ],
)
def test_lone_surrogates_are_refused_wherever_they_are(server: ThreadServer, body: bytes) -> None:
    with server.http() as http:
        answer = http.post("assistants", content=body, headers=JSON)

    assert answer.status_code == 400
    assert "not valid Unicode" in answer.json()["error"]["message"]


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity"])
@pytest.mark.parametrize(
    "body",
    [
        b'{"model": "m", "temperature": %s}',
        b'{"model": "m", "tools": [{"type": "function", "function": {"name": "f", '
        b'"parameters": {"x": %s}}}]}',
    ],
    ids=["temperature", "schema"],
)
def test_numbers_that_json_does_not_have_are_refused(
    server: ThreadServer, body: bytes, number: bytes
) -> None:
    with server.http() as http:
        answer = http.post("assistants", content=body % number, headers=JSON)

    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(("levels", "status"), [(99, 200), (101, 400), (400, 400), (2000, 400)])
def test_a_schema_deeper_than_can_be_kept_is_refused(
    server: ThreadServer, levels: int, status: int
) -> None:
    schema = b'{"x": ' * levels + b"1" + b"}" * levels
    body = (
        b'{"model": "m", "tools": [{"type": "function", "function": {"name": "f", "parameters": '
        + schema
        + b"}}]}"
    )

    with server.http() as http:
        answer = http.post("assistants", content=body, headers=JSON)
        listed = http.get("assistants")

    assert answer.status_code == status
    assert listed.status_code == 200


def test_unknown_fields_are_ignored(server: ThreadServer) -> None:
    with server.http() as http:
        answer = http.post("assistants", json={"model": "m", "colour": "blue", "file_ids": []})

    assert answer.status_code == 200
    assert "colour" not in answer.json()


def test_an_old_tool_that_is_gone_is_refused_by_name(server: ThreadServer) -> None:
    with server.http() as http:
        answer = http.post("assistants", json={"model": "m", "tools": [{"type": "retrieval"}]})

    message = answer.json()["error"]["message"]
    assert "'retrieval'" in message
    assert "'code_interpreter', 'file_search', 'function'" in message


def test_a_huge_body_is_refused_and_the_server_goes_on(server: ThreadServer) -> None:
    with server.http() as http:
        answer = http.post("assistants", json={"model": "m", "instructions": "x" * 20_000_000})

        assert answer.status_code == 400
        assert len(answer.text) < 1000
        assert http.get("assistants?limit=1").status_code == 200


@pytest.mark.parametrize(
    ("query", "param", "code"),
    [
        ("limit=0", "limit", "integer_below_min_value"),
        ("limit=101", "limit", "integer_above_max_value"),
        ("limit=" + "9" * 40, "limit", "integer_above_max_value"),
        ("limit=ten", "limit", "invalid_type"),
        ("limit=", "limit", "invalid_type"),
        ("order=up", "order", "invalid_value"),
        ("after=asst_unknown", "after", "invalid_value"),
        ("before=asst_unknown", "before", "invalid_value"),
        ("after=%00", "after", "invalid_value"),
        ("after=%ff", "after", "invalid_value"),
    ],
)
def test_an_invalid_query_is_refused_with_the_parameter(
    server: ThreadServer, query: str, param: str, code: str
) -> None:
    with server.http() as http:
        answer = http.get(f"assistants?{query}")

    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert (error["param"], error["code"]) == (param, code)


@pytest.mark.parametrize("object_id", ["%00", "%ff", "a" * 5000, "%F0%9F%98%80", "' OR 1=1 --"])
def test_strange_ids_are_simply_not_found(server: ThreadServer, object_id: str) -> None:
    with server.http() as http:
        answer = http.get(f"assistants/{object_id}")

    assert answer.status_code == 404
    assert answer.json()["error"]["message"].startswith("No assistant found with id '")
