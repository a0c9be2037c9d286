"""`display_quiz`: the quiz that a model asks for, read as it was meant."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

QUIZ_FUNCTION = "display_quiz"
MOST_QUESTIONS = 200

_TEXT_KEYS = ("question_text", "question", "text", "title", "prompt")
_LETTERED_LINE = re.compile(r"^\s*[A-Za-z0-9]{1,2}[).:]\s+\S.*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Question:
    """One question; without choices it is answered in the person's own words."""

    text: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Quiz:
    title: str
    questions: tuple[Question, ...]


def read_quiz(arguments: Mapping[str, Any]) -> Quiz | None:
    """The quiz of a call; None when these arguments hold none."""
    asked = arguments.get("questions")
    if isinstance(asked, Mapping | str):
        asked = [asked]
    if asked is None:
        asked = []
    if not isinstance(asked, list) or len(asked) > MOST_QUESTIONS:
        return None
    title = arguments.get("title")
    return Quiz(
        title=title if isinstance(title, str) else "",
        questions=tuple(_question(one) for one in asked),
    )


def _question(asked: Any) -> Question:
    if not isinstance(asked, Mapping):
        return Question(_as_text(asked))
    text = next((_as_text(asked[key]) for key in _TEXT_KEYS if asked.get(key)), "")
    choices = _choices(asked.get("choices") or asked.get("options"))
    kind = re.sub(r"[^A-Z]+", "_", _as_text(asked.get("question_type")).upper())
    if kind.startswith(("FREE", "OPEN", "TEXT")):
        return Question(_with_choices(text, choices))
    if not choices and kind.startswith("MULTIPLE"):
        choices = tuple(line.strip() for line in _LETTERED_LINE.findall(text))
    return Question(_without_choices(text, choices), choices)


def _choices(given: Any) -> tuple[str, ...]:
    """The choices as texts; letters that stand apart from them are put in front."""
    if isinstance(given, Mapping):
        return tuple(f"{letter}) {_as_text(choice)}" for letter, choice in given.items())
    if isinstance(given, str):
        return tuple(line.strip() for line in given.splitlines() if line.strip())
    if not isinstance(given, list):
        return ()
    return tuple(text for text in map(_as_text, given) if text)


def _without_choices(text: str, choices: tuple[str, ...]) -> str:
    """The question without the lines that only repeat its choices."""
    repeated = {choice.strip() for choice in choices}
    lines = [line for line in text.splitlines() if line.strip() not in repeated]
    return "\n".join(lines).strip()


def _with_choices(text: str, choices: tuple[str, ...]) -> str:
    missing = [choice for choice in choices if choice not in text]
    return "\n\n".join([text, *(f"- {choice}" for choice in missing)]).strip()


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return next((_as_text(value[key]) for key in _CHOICE_KEYS if key in value), str(value))
    return value.strip() if isinstance(value, str) else str(value)


_CHOICE_KEYS = ("text", "label", "value", "choice", "title", "name")
