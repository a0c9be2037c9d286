"""What the model does next: answer in words, or call one of the tools.

A small model left to itself writes calls in any shape, or in the middle of a text. Here it only
picks a word, under a grammar that has no others; what follows is then generated as that word says.
The question is put apart from the conversation, in a prompt whose beginning never changes, so the
server has most of it in its cache; the examples are what made a 1.5B model pick well.
"""

import json

from lib.models.embedded.coding import CODE_TOOL
from lib.models.embedded.rendering import user_text
from lib.models.provider import (
    AssistantTurn,
    FunctionTool,
    Json,
    ModelError,
    ModelRequest,
    ToolRound,
    Turn,
    UserTurn,
)

_ANSWER = "answer"
_SEARCH_TOOL = "file_search"
MAX_ROUNDS = 4
"""Tool rounds in one reply after which an `auto` choice answers: small models repeat themselves."""
_MOST_REPAIRS = 2
_SHOWN_TURNS = 4
_SHOWN_CHARACTERS = 600

_SYSTEM = (
    "You pick the next step of an assistant. Pick a tool only when the user's last message asks "
    "for what that tool does. Otherwise pick answer: explanations, solving or discussing things "
    "in words, facts, greetings and thanks need no tool."
)
_EXAMPLES = (
    (
        "python: run Python, when the user asks for code, a plot, or work on data or files",
        (
            ("User: I want to solve `x - 4 = 9`. Can you help?", _ANSWER),
            ("User: List the first 5 primes with code.", "python"),
            ("User: Who painted the Mona Lisa?", _ANSWER),
        ),
    ),
    (
        "run_sql: Runs a query on the sales database.\nsend_email: Sends an email.",
        (
            ("User: Hello, who are you?", _ANSWER),
            ("User: How many orders came in last week?", "run_sql"),
            ("User: How many orders came in last week?\nrun_sql returned: 412", _ANSWER),
            ("User: What is the capital of France?", _ANSWER),
            ("User: Email Bob that I am late.", "send_email"),
        ),
    ),
)
_EXAMPLE_WITH_FILES = (
    "python: run Python, when the user asks for code, a plot, or work on data or files\n"
    "file_search: look something up in the user's files and documents: report.pdf",
    (
        ("User: I need to solve `2x = 8`. Can you help me?", _ANSWER),
        ("User: What are the main ideas behind this report? Explain them.", "file_search"),
        ("User: Draw a sine wave.", "python"),
        ("User: Who wrote it?", "file_search"),
        ("User: How do I add fractions?", _ANSWER),
    ),
)
"""Given only where there are files: elsewhere it made the model reach for tools too often."""
_KNOWN_TOOLS = {
    CODE_TOOL: "run Python, when the user asks for code, a plot, or work on data or files",
    _SEARCH_TOOL: "look something up in the user's files and documents",
}
_ANSWER_BIAS = 1.0
"""Logits in favour of answering: unbiased, the model reaches for tools too often."""
_FILES_BIAS = 1.25
"""Logits in favour of a tool that has files: questions are likely about them."""


Outcome = str | None
"""The name of a tool to call, or None to answer in words."""


def outcomes(request: ModelRequest) -> list[Outcome]:
    """What may come next; never empty. Raises ModelError for a choice that cannot be met."""
    names: list[Outcome] = [tool.name for tool in request.tools]
    match request.tool_choice:
        case "none":
            return [None]
        case "auto":
            return _free_outcomes(request.turns, names)
        case "required" if names:
            return names
        case {"type": "function", "function": {"name": name}} if name in names:
            return [name]
        case choice:
            raise ModelError(
                "invalid_prompt", f"tool_choice asks for a tool that is not there: {choice}."
            )


def _free_outcomes(turns: list[Turn], names: list[Outcome]) -> list[Outcome]:
    rounds = _rounds(turns)
    if CODE_TOOL in names and _is_to_be_repaired(rounds):
        return [CODE_TOOL]
    if len(rounds) >= MAX_ROUNDS:
        return [None]
    searched = any(call.name == _SEARCH_TOOL for each in rounds for call in each.calls)
    # Searching again, small models ask the same: it takes a minute and tells nothing new.
    return [None, *(name for name in names if not (searched and name == _SEARCH_TOOL))]


def decision_body(request: ModelRequest, choices: list[Outcome]) -> Json:
    """The completion request whose text is the word for one of the choices."""
    tools = [tool for tool in request.tools if tool.name in choices]
    lines = "\n".join(f"{_word(tool.name)}: {_purpose(tool)}" for tool in tools)
    question = f"{_choices(lines)}\n\n{_transcript(request.turns)}"
    words = [json.dumps(_word(choice)) for choice in choices]
    # What was just read needs no reading again.
    readers = [] if _rounds(request.turns) else [tool for tool in tools if tool.files]
    return {
        "messages": [
            *_opening(bool(readers)),
            {"role": "user", "content": question},
        ],
        "grammar": f"root ::= {' | '.join(words)}",
        "logit_bias": _biases(choices, readers),
        "temperature": 0,
    }


def outcome_of(word: str, choices: list[Outcome]) -> Outcome:
    """The choice that the word stands for; the first one when the word was cut off."""
    return next((choice for choice in choices if _word(choice) == word), choices[0])


def _word(choice: Outcome) -> str:
    if choice is None:
        return _ANSWER
    return f"{choice}_tool" if choice == _ANSWER else choice


def _purpose(tool: FunctionTool) -> str:
    known = _KNOWN_TOOLS.get(tool.name)
    if known is None:
        return _clip(tool.description or "no description", _SHOWN_CHARACTERS)
    return f"{known}: {_clip(', '.join(tool.files), _SHOWN_CHARACTERS)}" if tool.files else known


def _biases(choices: list[Outcome], readers: list[FunctionTool]) -> list[tuple[str, float]]:
    caution = [(_ANSWER, _ANSWER_BIAS)] if None in choices else []
    return [*caution, *((_word(tool.name), _FILES_BIAS) for tool in readers)]


def _choices(lines: str) -> str:
    return f"Choices:\n{_ANSWER}: reply in words\n{lines}"


def _opening(has_files: bool) -> list[Json]:
    messages: list[Json] = [{"role": "system", "content": _SYSTEM}]
    for lines, examples in (*_EXAMPLES, *([_EXAMPLE_WITH_FILES] if has_files else [])):
        for number, (said, word) in enumerate(examples):
            question = said if number else f"{_choices(lines)}\n\n{said}"
            messages += [
                {"role": "user", "content": question},
                {"role": "assistant", "content": word},
            ]
    return messages


def _transcript(turns: list[Turn]) -> str:
    return "\n".join(_line(turn) for turn in turns[-_SHOWN_TURNS:])


def _line(turn: Turn) -> str:
    match turn:
        case UserTurn():
            return f"User: {_clip(user_text(turn), _SHOWN_CHARACTERS)}"
        case AssistantTurn():
            return f"Assistant: {_clip(turn.text, _SHOWN_CHARACTERS)}"
        case ToolRound():
            pairs = zip(turn.calls, turn.outputs, strict=False)
            return "\n".join(
                f"{call.name} returned: {_clip(output, _SHOWN_CHARACTERS)}"
                for call, output in pairs
            )


def _clip(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]} …"


def _is_to_be_repaired(rounds: list[ToolRound]) -> bool:
    """Whether the last code had an error or showed nothing: left the choice, small models give up.

    False after some attempts, or it might go on for ever.
    """
    if not rounds or rounds[-1].calls[-1].name != CODE_TOOL:
        return False
    return len(rounds) <= _MOST_REPAIRS and not rounds[-1].has_result


def _rounds(turns: list[Turn]) -> list[ToolRound]:
    """The tool rounds since the last message, oldest first."""
    rounds: list[ToolRound] = []
    for turn in reversed(turns):
        if not isinstance(turn, ToolRound):
            break
        rounds.insert(0, turn)
    return rounds
