import json
from typing import Any

import pytest

from lib.dashboard.function_forms.call_form import CallForm, answer_of, call_form, json_note
from lib.dashboard.function_forms.ready_made import EXAMPLE_ARGUMENTS, READY_MADE
from tests.dashboard.function_forms.hostile_arguments import HOSTILE_ARGUMENTS


def form(function_name: str, arguments: Any, **declared: Any) -> CallForm:
    raw = arguments if isinstance(arguments, str) else json.dumps(arguments)
    call = {"id": "call_1", "function": {"name": function_name, "arguments": raw}}
    tools = [{"type": "function", "function": {"name": function_name, **declared}}]
    return call_form(call, 0, tools)


def test_a_quiz_answers_with_a_list_of_strings() -> None:
    quiz = form(
        "display_quiz",
        {
            "title": "Math Quiz",
            "questions": [
                {"question_text": "Explain.", "question_type": "FREE_RESPONSE"},
                {"question_text": "8^2 + 6^2?", "choices": ["A) 100", "B) 64"]},
            ],
        },
    )

    answer = answer_of(quiz, {"answer.0": "I don't know.", "answer.1": 0}, as_text=False)

    assert quiz.title == "Math Quiz"
    assert json.loads(answer.output) == ["I don't know.", "A) 100"]


def test_an_unanswered_question_is_named() -> None:
    quiz = form("display_quiz", {"questions": [{"question_text": "A?"}, {"question_text": "B?"}]})

    answer = answer_of(quiz, {"answer.0": "yes"}, as_text=False)

    assert answer.problems == {"answer.1": "Fill in Question 2."}


def test_a_quiz_without_questions_can_still_be_sent() -> None:
    quiz = form("display_quiz", {"title": "Empty", "questions": []})

    assert answer_of(quiz, {}, as_text=False).output == "[]"


@pytest.mark.parametrize("why", HOSTILE_ARGUMENTS)
@pytest.mark.parametrize("name", ["display_quiz", "collect_data", "anything"])
def test_every_call_can_be_answered_as_text(name: str, why: str) -> None:
    hostile = form(name, HOSTILE_ARGUMENTS[why])

    answer = answer_of(hostile, {"text": "my answer"}, as_text=True)

    assert answer.output == "my answer"
    json.dumps([hostile.title, hostile.intro], ensure_ascii=False).encode()


def test_a_declared_result_makes_the_fields_and_the_output() -> None:
    approval = form("ask_approval", {"action": "Delete it"}, **READY_MADE["Approval"])

    answer = answer_of(approval, {"answer.approved": False, "answer.comment": "No."}, False)

    assert [field.kind for field in approval.root.fields] == ["boolean", "text"]
    assert json.loads(answer.output) == {"approved": False, "comment": "No."}
    assert "Delete it" in approval.intro


def test_a_result_of_one_value_is_sent_as_that_value() -> None:
    number = form("ask_number", {}, result_schema={"type": "integer"})
    text = form("ask_name", {}, result_schema={"type": "string"})

    assert answer_of(number, {"answer": 7}, False).output == "7"
    assert answer_of(text, {"answer": "Ada"}, False).output == "Ada"


def test_options_among_the_arguments_make_a_choice() -> None:
    one = form("ask_choice", {"question": "Which?", "options": ["a", "b"]})
    many = form("ask_choice", {"question": "Which?", "options": ["a", "b"], "multiple": True})

    assert answer_of(one, {"answer": 1}, False).output == "b"
    assert answer_of(many, {"answer": [0, 1]}, False).output == '["a", "b"]'


def test_a_form_that_the_model_lays_out_is_drawn_as_asked() -> None:
    asked = [
        {"name": "day", "label": "Which day?", "type": "date"},
        {"name": "size", "label": "Size", "type": "text", "options": ["S", "M"]},
        {"name": "note", "label": "Note", "type": "long_text", "required": False},
    ]
    data = form("collect_data", {"title": "Order", "fields": asked})

    answer = answer_of(data, {"answer.day": "2026-11-22", "answer.size": 1}, False)

    assert [field.kind for field in data.root.fields] == ["date", "choice", "long_text"]
    assert json.loads(answer.output) == {"day": "2026-11-22", "size": "M"}


def test_a_function_that_says_nothing_of_its_result_is_answered_in_words() -> None:
    weather = form("get_weather", {"city": "Oslo", "in_celsius": True})

    assert weather.root.kind == "output"
    assert weather.intro == "**City:** Oslo\n\n**In celsius:** yes"
    assert answer_of(weather, {}, False).problems == {"text": "Fill in Output."}


def test_two_calls_with_the_same_id_have_forms_of_their_own() -> None:
    call = {"id": "call_1", "function": {"name": "f", "arguments": "{}"}}

    assert call_form(call, 0, []).key != call_form(call, 1, []).key


def test_the_note_tells_whether_a_text_is_json() -> None:
    assert json_note('{"a": 1}') == "Valid JSON."
    assert json_note('{"a": 1,\n b}').startswith("Not valid JSON: Expecting property name")
    assert "in line 2" in json_note('{"a": 1,\n b}')
    assert json_note("Sunny") == ""


@pytest.mark.parametrize("name", READY_MADE)
def test_every_ready_function_has_a_form_of_fields(name: str) -> None:
    definition = READY_MADE[name]

    ready = form(definition["name"], EXAMPLE_ARGUMENTS[definition["name"]], **definition)

    assert ready.is_structured
