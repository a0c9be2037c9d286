"""Turns and tools as the chat messages a small local model understands."""

import json
from collections.abc import Callable

from lib.models.provider import (
    AssistantTurn,
    FunctionTool,
    ImagePart,
    Json,
    ModelError,
    TextPart,
    ToolCall,
    ToolRound,
    Turn,
    UserTurn,
)

_ASKED_AGAIN = "With this, answer in full sentences every part of what I asked: "


def render_chat(instructions: str, turns: list[Turn], tools: list[FunctionTool]) -> list[Json]:
    """Chat messages for the model's own template. Raises ModelError for images.

    Tools and calls are written in the form that Qwen2.5 was trained on.
    """
    system = {"role": "system", "content": _system(instructions, tools)}
    return [system, *turn_messages(turns, _call, _response)]


def render_answer(instructions: str, turns: list[Turn], tools: list[FunctionTool]) -> list[Json]:
    """Chat messages for an answer in words. Raises ModelError for images.

    After a tool's long output a small model has forgotten the question, and speaks of the output
    instead: it is asked again, and not told of tools any more.
    """
    if not isinstance(turns[-1], ToolRound):
        return render_chat(instructions, turns, tools)
    messages = render_chat(instructions, turns, [])
    asked = [user_text(turn) for turn in turns if isinstance(turn, UserTurn)]
    if asked:
        messages[-1]["content"] += f"\n\n{_ASKED_AGAIN}{asked[-1]}"
    return messages


def turn_messages(
    turns: list[Turn], call_text: Callable[[ToolCall], str], output_text: Callable[[str], str]
) -> list[Json]:
    """The conversation, calls as said by the assistant. Raises ModelError for images."""
    messages: list[Json] = []
    for turn in turns:
        match turn:
            case UserTurn():
                messages.append({"role": "user", "content": user_text(turn)})
            case AssistantTurn():
                messages.append({"role": "assistant", "content": turn.text})
            case ToolRound():
                calls = "\n".join(map(call_text, turn.calls))
                outputs = "\n".join(map(output_text, turn.outputs))
                messages.append({"role": "assistant", "content": calls})
                messages.append({"role": "user", "content": outputs})
    return messages


def call_opening(name: str) -> str:
    """The beginning of a call, for the model to go on with the arguments."""
    return f'<tool_call>\n{{"name": {json.dumps(name)}, "arguments": '


def user_text(turn: UserTurn) -> str:
    """The text of a user's message. Raises ModelError for images."""
    return "\n".join(_text(part) for part in turn.parts)


def _system(instructions: str, tools: list[FunctionTool]) -> str:
    if not tools:
        return instructions or "You are a helpful assistant."
    signatures = "\n".join(_signature(tool) for tool in tools)
    return (
        f"{instructions}\n\n# Tools\n\nThese functions can be called on the user's behalf. Never "
        "write a call yourself, and never tell the user about them.\n"
        f"<tools>\n{signatures}\n</tools>"
    ).lstrip()


def _signature(tool: FunctionTool) -> str:
    function: Json = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = tool.parameters
    return json.dumps({"type": "function", "function": function}, ensure_ascii=False)


def _call(call: ToolCall) -> str:
    name = json.dumps(call.name)
    return f'<tool_call>\n{{"name": {name}, "arguments": {call.arguments}}}\n</tool_call>'


def _response(output: str) -> str:
    return f"<tool_response>\n{output}\n</tool_response>"


def _text(part: TextPart | ImagePart) -> str:
    if isinstance(part, ImagePart):
        raise ModelError(
            "invalid_prompt",
            "The embedded model cannot see images (image_url, image_file). Remove the image, or "
            "set MODEL_BASE_URL to an endpoint with a model that can.",
        )
    return part.text
