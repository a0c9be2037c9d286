"""The form for one waiting function call: what is asked, its fields, and the output they make."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lib.dashboard.function_forms.arguments import Arguments, read_arguments
from lib.dashboard.function_forms.fields import MOST_FIELDS, Field, field_of, label_of
from lib.dashboard.function_forms.quiz import QUIZ_FUNCTION, Quiz, read_quiz
from lib.dashboard.function_forms.values import MISSING, Draft, read_draft
from lib.dashboard.labels import plain
from lib.dashboard.message_markdown import to_markdown

ROOT = "answer"
PLAIN = "text"
"""The id of the field in which any call can be answered in one's own words."""

_TITLE_KEYS = ("title", "heading")
_QUESTION_KEYS = ("question", "prompt", "message", "text", "action", "description")
_OPTION_KEYS = ("options", "choices")
_MULTIPLE_KEYS = ("multiple", "allow_multiple")
_LONGEST_SHOWN = 4_000

Encode = Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class CallForm:
    """One call as a form. `key` is unique within the round, and stays the same on a reload."""

    key: str
    call_id: str
    function: str
    description: str
    arguments: Arguments
    title: str
    intro: str
    """Markdown."""
    root: Field
    """A group, or the one field."""
    encode: Encode
    is_structured: bool = False
    """False while the only field is the one for a text."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a draft comes to: the output for the model, or what is still wrong, by field id."""

    output: str
    problems: dict[str, str]


def call_form(call: Mapping[str, Any], number: int, tools: list[dict[str, Any]]) -> CallForm:
    """The form for a call of the round. `number` counts from 0; `tools` are the run's."""
    name = str(call["function"]["name"])
    declared = _declared(name, tools)
    arguments = read_arguments(str(call["function"]["arguments"]))
    description = declared.get("description")
    plain_form = CallForm(
        key=f"{number}:{call['id']}",
        call_id=str(call["id"]),
        function=name,
        description=description if isinstance(description, str) else "",
        arguments=arguments,
        title=_first_text(arguments, _TITLE_KEYS) or label_of(name),
        intro=_intro(arguments),
        root=output_field(),
        encode=_as_text,
    )
    form = _structured(plain_form, declared)
    return replace(form, is_structured=True) if form else plain_form


def answer_of(form: CallForm, draft: Draft, as_text: bool) -> Answer:
    """The output of a call by its draft; `as_text` answers in one's own words instead."""
    field = output_field() if as_text else form.root
    encode = _as_text if as_text else form.encode
    reading = read_draft(field, draft)
    if reading.problems:
        return Answer("", reading.problems)
    return Answer(encode(reading.value), {})


def output_field() -> Field:
    """Where any call can be answered: text, or JSON where the function is meant to return it."""
    return Field(PLAIN, "output", "Output", "output", required=True)


def json_note(text: str | None) -> str:
    """What to know of a text before it is sent: whether it is JSON, and if not quite, why."""
    stripped = (text or "").strip()
    if not stripped.startswith(("{", "[")):
        return ""
    try:
        json.loads(stripped)
    except json.JSONDecodeError as error:
        return f"Not valid JSON: {error.msg} in line {error.lineno}. It will be sent as it is."
    except RecursionError:
        return ""
    return "Valid JSON."


def _structured(form: CallForm, declared: Mapping[str, Any]) -> CallForm | None:
    """The form with fields of its own, where the call or the function's definition tells them."""
    value = form.arguments.value
    if form.function == QUIZ_FUNCTION and value is not None:
        quiz = read_quiz(value)
        return _quiz_form(form, quiz) if quiz else None
    result_schema = declared.get("result_schema")
    if isinstance(result_schema, Mapping) and result_schema:
        return _result_form(form, result_schema)
    if value is None:
        return None
    return _fields_form(form, value) or _choice_form(form, value)


def _quiz_form(form: CallForm, quiz: Quiz) -> CallForm:
    fields = tuple(
        Field(
            id=f"{ROOT}.{number}",
            name=str(number),
            label=f"Question {number + 1}",
            kind="choice" if question.choices else "long_text",
            required=True,
            text=f"**{number + 1}.** {to_markdown(_cut(question.text)) or '_(no text)_'}",
            options=question.choices,
        )
        for number, question in enumerate(quiz.questions)
    )
    if not fields:
        remark = Field(f"{ROOT}.0", "0", "Your answer", "long_text")
        return replace(
            form,
            title=quiz.title or "Quiz",
            intro="_The quiz has no questions. You may send a remark instead._",
            root=Field(ROOT, "", "Quiz", "group", required=True, fields=(remark,)),
            encode=_as_list,
        )
    return replace(
        form,
        title=quiz.title or "Quiz",
        intro="",
        root=Field(ROOT, "", "Quiz", "group", required=True, fields=fields),
        encode=_as_list,
    )


def _result_form(form: CallForm, schema: Mapping[str, Any]) -> CallForm:
    root = field_of(schema, "", ROOT, required=True)
    label = root.label if root.schema.get("title") else "Answer"
    return replace(form, root=replace(root, label=label), encode=_as_json)


def _fields_form(form: CallForm, value: Mapping[str, Any]) -> CallForm | None:
    """A form that the model itself laid out: `{"fields": [{"name", "label", "type", …}]}`."""
    asked = value.get("fields")
    if not isinstance(asked, list) or not 0 < len(asked) <= MOST_FIELDS:
        return None
    if not all(isinstance(one, Mapping) and isinstance(one.get("name"), str) for one in asked):
        return None
    schema = {
        "type": "object",
        "properties": {one["name"]: _asked_schema(one) for one in asked},
        "required": [one["name"] for one in asked if one.get("required") is not False],
    }
    return replace(form, root=field_of(schema, "", ROOT, required=True), encode=_as_json)


_ASKED_TYPES: dict[str, dict[str, Any]] = {
    "number": {"type": "number"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "yes_no": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "time": {"type": "string", "format": "time"},
    "file": {"type": "string", "format": "file"},
    "long_text": {"type": "string", "format": "textarea"},
}


def _asked_schema(one: Mapping[str, Any]) -> dict[str, Any]:
    options = one.get("options")
    schema = dict(_ASKED_TYPES.get(str(one.get("type")), {"type": "string"}))
    if isinstance(options, list) and options:
        schema = {"enum": options}
    label, description = one.get("label"), one.get("description")
    if isinstance(label, str):
        schema["title"] = label
    if isinstance(description, str):
        schema["description"] = description
    return schema


def _choice_form(form: CallForm, value: Mapping[str, Any]) -> CallForm | None:
    """A question with options among the arguments."""
    options = next((value[key] for key in _OPTION_KEYS if isinstance(value.get(key), list)), None)
    if not options or not all(isinstance(one, str | int | float) for one in options):
        return None
    is_multiple = any(value.get(key) is True for key in _MULTIPLE_KEYS)
    field = Field(
        id=ROOT,
        name="",
        label="Your choice",
        kind="choices" if is_multiple else "choice",
        required=True,
        options=tuple(options),
    )
    return replace(form, root=field, encode=_as_json)


def _declared(name: str, tools: list[dict[str, Any]]) -> Mapping[str, Any]:
    for tool in tools:
        function = tool.get("function")
        if isinstance(function, Mapping) and function.get("name") == name:
            return function
    return {}


def _intro(arguments: Arguments) -> str:
    """The call in words: its question, then every other plain argument on a line of its own."""
    if arguments.value is None:
        return ""
    question = _first_text(arguments, _QUESTION_KEYS)
    lines = [to_markdown(_cut(question))] if question else []
    for name, value in arguments.value.items():
        if value == question or name in (*_TITLE_KEYS, *_OPTION_KEYS, *_MULTIPLE_KEYS):
            continue
        if isinstance(value, str | int | float | bool):
            lines.append(f"**{plain(label_of(name))}:** {plain(_cut(_shown(value)))}")
    return "\n\n".join(lines)


def _first_text(arguments: Arguments, keys: tuple[str, ...]) -> str:
    found = arguments.value or {}
    texts = [found[key] for key in keys if isinstance(found.get(key), str)]
    return next((text for text in texts if text.strip()), "")


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]} …"


def _as_text(value: Any) -> str:
    return str(value)


def _as_json(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(None if value is MISSING else value, ensure_ascii=False)


def _as_list(value: Any) -> str:
    """The answers in the order of the questions: a list of strings."""
    return json.dumps([str(one) for one in value.values()], ensure_ascii=False)
