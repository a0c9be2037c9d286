from pathlib import Path
from typing import Any

import pytest
from openai import NotFoundError, OpenAI

from tests.conftest import StartServer

SOURCE = '''
def add(first: int, second: int) -> int:
    """Adds two numbers."""
    return first + second
'''


@pytest.fixture
def office(start_server: StartServer, tmp_path: Path) -> OpenAI:
    """A client of a server with a folder of functions."""
    folder = tmp_path / "functions"
    folder.mkdir()
    (folder / "office.py").write_text(SOURCE)
    (folder / "broken.py").write_text("def (")
    return start_server(functions_dir=folder).client()


def test_without_a_folder_no_function_is_offered(client: OpenAI) -> None:
    listed = client.get("/functions", cast_to=dict[str, Any])

    assert listed == {"object": "list", "data": [], "problems": []}


def test_functions_are_listed_as_tools_for_an_assistant(office: OpenAI) -> None:
    listed = office.get("/functions", cast_to=dict[str, Any])

    assistant = office.beta.assistants.create(model="gpt-4o-mini", tools=listed["data"])

    assert [tool.to_dict() for tool in assistant.tools] == listed["data"]
    assert listed["data"][0]["function"]["name"] == "add"
    assert listed["problems"][0]["file"] == "broken.py"


@pytest.mark.parametrize("arguments", [{"first": 40, "second": 2}, '{"first": 40, "second": 2}'])
def test_a_call_is_run_with_its_arguments_as_object_or_text(office: OpenAI, arguments: Any) -> None:
    result = office.post(
        "/functions/add/run", body={"arguments": arguments}, cast_to=dict[str, Any]
    )

    assert result == {"output": "42", "is_error": False}


def test_an_unknown_function_is_not_found(office: OpenAI) -> None:
    with pytest.raises(NotFoundError, match="No function found with name 'subtract'"):
        office.post("/functions/subtract/run", body={}, cast_to=dict[str, Any])
