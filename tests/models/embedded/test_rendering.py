"""What the model reads before it answers."""

from lib.models.embedded.rendering import render_answer
from lib.models.provider import (
    AssistantTurn,
    FunctionTool,
    TextPart,
    ToolCall,
    ToolRound,
    Turn,
    UserTurn,
)

CODE = FunctionTool("code_interpreter", "Runs Python.", {})
ROUND = ToolRound([ToolCall("call_1", "code_interpreter", '{"code": "print(24)"}')], ["24"])


def user(text: str) -> UserTurn:
    return UserTurn([TextPart(text)])


def test_after_a_tools_output_the_newest_question_is_asked_again() -> None:
    turns: list[Turn] = [user("Hello."), AssistantTurn("Hi."), user("How many pages?"), ROUND]

    messages = render_answer("Be brief.", turns, [CODE])

    assert messages[0]["content"] == "Be brief."
    assert "<tool_response>\n24\n</tool_response>" in messages[-1]["content"]
    assert messages[-1]["content"].endswith("How many pages?")
    assert "Hello." not in messages[-1]["content"]


def test_a_question_without_tool_output_stays_as_it_is() -> None:
    messages = render_answer("Be brief.", [user("How many pages?")], [CODE])

    assert "code_interpreter" in messages[0]["content"]
    assert messages[-1] == {"role": "user", "content": "How many pages?"}
