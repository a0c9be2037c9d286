"""Which next steps are left to the model, and what it is told of them."""

import json
from dataclasses import replace

from lib.models.embedded.decision import decision_body, outcomes
from lib.models.provider import (
    FunctionTool,
    ModelRequest,
    TextPart,
    ToolCall,
    ToolRound,
    Turn,
    UserTurn,
)

CODE = FunctionTool("code_interpreter", "Runs Python.", {})
SEARCH = FunctionTool("file_search", "Searches files.", {})
QUESTION = UserTurn([TextPart("What is the title of the paper?")])


def request(*turns: Turn) -> ModelRequest:
    return ModelRequest("any", "Be brief.", [QUESTION, *turns], [CODE, SEARCH])


def round_of(name: str, has_result: bool = True) -> ToolRound:
    call = ToolCall("call_1", name, json.dumps({"code": "print(7)"}))
    return ToolRound([call], ["7"], has_result=has_result)


def question_of(asked: ModelRequest) -> str:
    body = decision_body(asked, outcomes(asked))
    return str(body["messages"][-1]["content"])


def test_a_result_leaves_the_model_its_choice() -> None:
    assert outcomes(request(round_of("code_interpreter"))) == [
        None,
        "code_interpreter",
        "file_search",
    ]


def test_code_without_a_result_is_written_again() -> None:
    assert outcomes(request(round_of("code_interpreter", has_result=False))) == ["code_interpreter"]


def test_code_is_not_written_again_for_ever() -> None:
    failed = round_of("code_interpreter", has_result=False)

    assert None in outcomes(request(failed, failed, failed))


def test_files_are_searched_once_for_a_message() -> None:
    assert outcomes(request(round_of("file_search"))) == [None, "code_interpreter"]


def test_the_next_message_may_search_again() -> None:
    assert "file_search" in outcomes(request(round_of("file_search"), QUESTION))


def test_the_model_is_told_which_files_a_tool_reads() -> None:
    reader = replace(SEARCH, files=("gpt2.pdf", "notes.md"))

    with_files = question_of(replace(request(), tools=[reader]))

    assert "gpt2.pdf, notes.md" in with_files


def test_a_tool_that_has_files_is_likelier() -> None:
    reader = replace(SEARCH, files=("gpt2.pdf",))
    asked = replace(request(), tools=[CODE, reader])

    biases = dict(decision_body(asked, outcomes(asked))["logit_bias"])

    assert biases["file_search"] > 0
    assert "code_interpreter" not in biases


def test_without_files_nothing_of_files_is_in_the_prompt() -> None:
    asked = request()

    said = str(decision_body(asked, outcomes(asked))["messages"])

    assert ".pdf" not in said


def test_what_was_just_read_is_not_likelier_to_be_read_again() -> None:
    reader = replace(CODE, files=("gpt2.pdf",))
    asked = replace(request(round_of("code_interpreter")), tools=[reader])

    biases = dict(decision_body(asked, outcomes(asked))["logit_bias"])

    assert list(biases) == ["answer"]
