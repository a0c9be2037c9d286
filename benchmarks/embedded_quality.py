"""Does the embedded model pick the right next step, and answer sensibly?

    python -m benchmarks.embedded_quality [MODEL] [DATA_DIR]

Prints each case with what the model did, the seconds it took, and the share of right picks.
"""

import asyncio
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from lib.models.embedded.provider import EmbeddedProvider
from lib.models.provider import (
    FunctionTool,
    Json,
    ModelRequest,
    TextDelta,
    TextPart,
    ToolCall,
    ToolCallArgumentsDelta,
    ToolCallStarted,
    ToolRound,
    Turn,
    UserTurn,
)

TUTOR = "You are a personal math tutor. Answer questions briefly, in a sentence or less."
HELPER = "You are a helpful assistant."
EQUATION = "I need to solve the equation `3x + 11 = 14`. Can you help me?"
FIBONACCI = "Generate the first 20 fibbonaci numbers with code."
QUIZ_REQUEST = (
    "Make a quiz with 2 questions: One open ended, one multiple choice. "
    "Then, give me feedback for the responses."
)


def _parameters(**properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(properties)}


STRING: Json = {"type": "string"}
CODE = FunctionTool(
    "code_interpreter", "Runs Python code and returns its output.", _parameters(code=STRING)
)
SEARCH = FunctionTool("file_search", "Search the user's files", _parameters(query=STRING))
WEATHER = FunctionTool("get_weather", "Current weather in a city.", _parameters(city=STRING))
QUESTION: Json = {
    "type": "object",
    "properties": {
        "question_text": STRING,
        "question_type": {"type": "string", "enum": ["MULTIPLE_CHOICE", "FREE_RESPONSE"]},
        "choices": {"type": "array", "items": STRING},
    },
    "required": ["question_text"],
}
QUIZ = FunctionTool(
    "display_quiz",
    "Displays a quiz to the student, and returns the student's response. A single quiz can have "
    "multiple questions.",
    _parameters(
        title=STRING,
        questions={
            "type": "array",
            "description": "An array of questions, each with a title and potentially options "
            "(if multiple choice).",
            "items": QUESTION,
        },
    ),
)


@dataclass(frozen=True, slots=True)
class Case:
    instructions: str
    tools: list[FunctionTool]
    turns: list[Turn]
    expected: str
    """`answer`, or the name of the tool that should be called."""


def said(text: str) -> list[Turn]:
    return [UserTurn([TextPart(text)])]


def after(text: str, name: str, arguments: Json, output: str) -> list[Turn]:
    call = ToolCall("call_1", name, json.dumps(arguments))
    return [*said(text), ToolRound([call], [output])]


NUMBERS = "0 1 1 2 3 5 8 13 21 34 55 89 144 233 377 610 987 1597 2584 4181"
QUIZ_ARGUMENTS: Json = {
    "title": "Math Quiz",
    "questions": [
        {"question_text": "What is a derivative?", "question_type": "FREE_RESPONSE"},
        {
            "question_text": "What is 7 * 8?",
            "question_type": "MULTIPLE_CHOICE",
            "choices": ["54", "56", "64"],
        },
    ],
}
CASES = [
    Case(TUTOR, [], said(EQUATION), "answer"),
    Case(TUTOR, [CODE], said(EQUATION), "answer"),
    Case(TUTOR, [CODE, QUIZ], said(EQUATION), "answer"),
    Case(TUTOR, [CODE, SEARCH, QUIZ], said(EQUATION), "answer"),
    Case(TUTOR, [CODE], said(FIBONACCI), "code_interpreter"),
    Case(TUTOR, [CODE, QUIZ], said(FIBONACCI), "code_interpreter"),
    Case(TUTOR, [CODE, SEARCH, QUIZ], said(FIBONACCI), "code_interpreter"),
    Case(TUTOR, [CODE], after(FIBONACCI, CODE.name, {"code": "print(fib)"}, NUMBERS), "answer"),
    Case(TUTOR, [CODE, QUIZ], said(QUIZ_REQUEST), "display_quiz"),
    Case(TUTOR, [CODE, SEARCH, QUIZ], said(QUIZ_REQUEST), "display_quiz"),
    Case(
        TUTOR,
        [CODE, QUIZ],
        after(QUIZ_REQUEST, QUIZ.name, QUIZ_ARGUMENTS, '["The slope of a curve.", "54"]'),
        "answer",
    ),
    Case(TUTOR, [CODE, QUIZ], said("Test me on fractions with a quiz."), "display_quiz"),
    Case(TUTOR, [CODE, QUIZ], said("Explain the Pythagorean theorem."), "answer"),
    Case(TUTOR, [CODE, QUIZ], said("Hi, who are you?"), "answer"),
    Case(
        TUTOR,
        [CODE, SEARCH, QUIZ],
        said("What does the uploaded document say about derivatives?"),
        "file_search",
    ),
    Case(HELPER, [SEARCH], said("What is the refund policy in my contract?"), "file_search"),
    Case(HELPER, [SEARCH, CODE], said("Summarise the PDF I uploaded."), "file_search"),
    Case(
        HELPER,
        [SEARCH],
        after(
            "What is the refund policy in my contract?",
            SEARCH.name,
            {"query": "refund policy"},
            "contract.pdf: Refunds are paid within 30 days of purchase.",
        ),
        "answer",
    ),
    Case(HELPER, [SEARCH], said("Hello! How are you?"), "answer"),
    Case(HELPER, [SEARCH], said("Thanks, that was helpful."), "answer"),
    Case(HELPER, [CODE], said("Plot a sine wave and save it as a PNG."), "code_interpreter"),
    Case(HELPER, [CODE], said("What is the mean of 'age' in data.csv?"), "code_interpreter"),
    Case(HELPER, [CODE], said("Who wrote Hamlet?"), "answer"),
    Case(HELPER, [WEATHER], said("What is the weather in Oslo?"), "get_weather"),
    Case(HELPER, [WEATHER], said("What is the capital of Norway?"), "answer"),
    Case(HELPER, [WEATHER, CODE], said("What is 2+2?"), "answer"),
    Case(
        HELPER,
        [WEATHER, CODE],
        said("Compute the 50th prime number with Python."),
        "code_interpreter",
    ),
]


async def main(choice: str, data_dir: Path) -> None:
    provider = EmbeddedProvider(choice, data_dir)
    provider.start()
    right = 0
    try:
        await provider.context_window(choice)
        for case in CASES:
            right += await _run(provider, choice, case)
    finally:
        await provider.close()
    print(f"{right} of {len(CASES)} picked as expected")


async def _run(provider: EmbeddedProvider, model: str, case: Case) -> bool:
    request = ModelRequest(
        model, case.instructions, case.turns, case.tools, temperature=1.0, max_output_tokens=400
    )
    started = time.perf_counter()
    picked, text, first = "answer", "", 0.0
    async for event in provider.stream(request):
        first = first or time.perf_counter() - started
        if isinstance(event, ToolCallStarted):
            picked = event.name
        elif isinstance(event, TextDelta | ToolCallArgumentsDelta):
            text += event.text
    seconds = time.perf_counter() - started
    mark = "ok   " if picked == case.expected else "WRONG"
    print(f"{mark} {picked} ({first:.1f} s to the first event, {seconds:.1f} s) {_last(case)}")
    print(f"      {text[:700]}")
    return picked == case.expected


def _last(case: Case) -> str:
    turn = case.turns[-1]
    if isinstance(turn, ToolRound):
        return f"after {turn.calls[0].name}"
    return " ".join(part.text for part in case.turns[-1].parts)[:60]  # type: ignore[union-attr]


if __name__ == "__main__":
    arguments = sys.argv[1:]
    asyncio.run(
        main(
            arguments[0] if arguments else "qwen2.5-coder-1.5b",
            Path(arguments[1] if len(arguments) > 1 else "data"),
        )
    )
