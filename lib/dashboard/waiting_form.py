"""The round of function calls that a run waits for, as one form with one submit."""

import time

import openai
import streamlit as st
from openai.types.beta.threads import Run

from lib.dashboard.answering import call_forms, cancel, has_moved_on, open_round, submit
from lib.dashboard.client import studio_client
from lib.dashboard.drafts import FormDraft
from lib.dashboard.errors import errors_in_words, sentence_for
from lib.dashboard.form_widgets import draw_field
from lib.dashboard.formatting import DAY, HOUR, duration
from lib.dashboard.function_forms.arguments import Arguments, pretty
from lib.dashboard.function_forms.call_form import (
    PLAIN,
    Answer,
    CallForm,
    answer_of,
    output_field,
)
from lib.dashboard.keep_typing import keep_typing
from lib.dashboard.labels import heading, plain
from lib.dashboard.studio_api import run_function, server_functions

AS_TEXT = "as_text"
EDITED = "arguments"
REFUSED = "The person refused to run this function."
LONGEST_RAW = 20_000
LOOK_EVERY = 2
"""Countdown ticks between two looks whether somebody else answered."""


def waiting_form(run: Run) -> None:
    """Draw the form for a waiting run. It submits by itself and draws the page anew then."""
    open_round(run)
    with st.container(border=True, key="waiting_form"):
        st.fragment(_countdown, run_every=_pace(run))(run)
        st.fragment(_form)(run)


def _form(run: Run) -> None:
    with errors_in_words("waiting_form"):
        forms = call_forms(run)
        own_functions = _own_functions(forms)
        attempted = st.session_state.get(f"attempted_{run.id}") == _round_key(forms)
        missing = 0
        for number, form in enumerate(forms):
            if number:
                st.divider()
            _call_title(form, number, len(forms))
            is_own = form.function in own_functions
            missing += _call(form, _draft(run, form), is_own, attempted)
        st.space("small")
        _buttons(run, forms, missing if attempted else 0)
        keep_typing("waiting_form")


def _call_title(form: CallForm, number: int, count: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(heading(form.title, 120), anchor=False, width="stretch")
        if count > 1:
            st.caption(f"{number + 1} of {count}", width="content")
        st.badge(plain(form.function), icon=":material/function:", color="violet")
    if form.description:
        st.caption(plain(form.description[:500]))


def _call(form: CallForm, draft: FormDraft, is_own: bool, attempted: bool) -> int:
    """What is asked and its fields. Returns how many answers are missing or not right."""
    if form.intro and not is_own:
        st.markdown(form.intro)
    if form.arguments.value is None:
        st.warning(plain(form.arguments.problem[:500]), icon=":material/data_object:")
        _raw(form.arguments)
    if is_own:
        _own_function(form, draft)
    problems = _answer(form, draft).problems
    shown = problems if attempted else _of_typed(problems, draft.values())
    draw_field(output_field() if _is_as_text(form, draft) else form.root, draft, shown)
    _further(form, draft, is_own)
    return len(problems)


def _is_as_text(form: CallForm, draft: FormDraft) -> bool:
    return not form.is_structured or draft.values().get(AS_TEXT) is True


def _of_typed(problems: dict[str, str], values: dict[str, object]) -> dict[str, str]:
    """Only what is wrong with what was typed; what is still missing is said at the submit."""
    return {key: problem for key, problem in problems.items() if values.get(key)}


def _further(form: CallForm, draft: FormDraft, is_own: bool) -> None:
    """The other ways to answer, and what the model wrote."""
    with st.container(horizontal=True, vertical_alignment="center"):
        if form.is_structured:
            key = draft.widget_key(AS_TEXT)
            st.session_state.setdefault(key, draft.values().get(AS_TEXT) is True)
            st.toggle(
                "Answer in my own words",
                key=key,
                on_change=_keep_toggle,
                args=(draft, key),
                help="Send any text as this call's output instead of what the fields say.",
            )
        if form.arguments.value is not None and not is_own:
            with st.popover(
                "Arguments",
                icon=":material/data_object:",
                type="tertiary",
                key=draft.widget_key("raw"),
            ):
                _raw(form.arguments)


def _keep_toggle(draft: FormDraft, key: str) -> None:
    draft.keep({AS_TEXT: True if st.session_state[key] else None})


def _raw(arguments: Arguments) -> None:
    text = arguments.raw if arguments.value is None else pretty(arguments.value)
    cut = text[:LONGEST_RAW]
    is_long = cut.count("\n") > 10 or len(cut) > 1_000
    language = None if arguments.value is None else "json"
    st.code(
        cut or "(nothing)",
        language=language,
        wrap_lines=True,
        height=240 if is_long else "content",
    )
    if len(text) > LONGEST_RAW:
        st.caption(f"The first {LONGEST_RAW:,} of {len(text):,} characters.")


def _own_function(form: CallForm, draft: FormDraft) -> None:
    """The proposed call of a function that the server has: run it, edit it, or refuse it."""
    edited = draft.values().get(EDITED)
    proposed = form.arguments.raw if edited is None else str(edited)
    if edited is None:
        _raw(form.arguments)
    else:
        key = draft.widget_key(EDITED)
        st.session_state.setdefault(key, proposed)
        st.text_area("Arguments", key=key, height=140, on_change=_keep_arguments, args=(draft, key))
    with st.container(horizontal=True):
        wants_run = st.button(
            "Run", icon=":material/play_arrow:", key=draft.widget_key("run"), type="secondary"
        )
        if edited is None:
            st.button(
                "Edit",
                icon=":material/edit:",
                key=draft.widget_key("edit"),
                on_click=draft.keep,
                args=({EDITED: _editable(form.arguments)},),
            )
        st.button(
            "Refuse",
            icon=":material/block:",
            key=draft.widget_key("refuse"),
            on_click=_set_output,
            args=(draft, REFUSED),
        )
    if wants_run:
        _run_own_function(form, draft, proposed)


def _editable(arguments: Arguments) -> str:
    return arguments.raw if arguments.value is None else pretty(arguments.value)


def _keep_arguments(draft: FormDraft, key: str) -> None:
    draft.keep({EDITED: st.session_state[key]})


def _run_own_function(form: CallForm, draft: FormDraft, arguments: str) -> None:
    try:
        with st.spinner(f"Running {plain(form.function)}"):
            result = run_function(studio_client(), form.function, arguments)
    except openai.OpenAIError as error:
        st.error(sentence_for(error), icon=":material/error:")
        return
    _set_output(draft, result.output)


def _set_output(draft: FormDraft, output: str) -> None:
    draft.keep({PLAIN: output, AS_TEXT: True})
    draft.forget_widgets(PLAIN)
    draft.forget_widgets(AS_TEXT)


def _own_functions(forms: list[CallForm]) -> set[str]:
    names = {tool["function"]["name"] for tool in server_functions(studio_client()).data}
    return names & {form.function for form in forms}


def _buttons(run: Run, forms: list[CallForm], missing: int) -> None:
    """Submit and cancel, and above them what keeps the round from being sent."""
    if missing:
        things = "One answer is" if missing == 1 else f"{missing} answers are"
        st.error(f"{things} missing or not right yet.", icon=":material/error:")
    if problem := st.session_state.pop(f"submit_problem_{run.id}", None):
        st.error(problem, icon=":material/error:")
    with st.container(horizontal=True, horizontal_alignment="right"):
        st.button(
            "Cancel the run",
            icon=":material/close:",
            key=f"cancel_{run.id}",
            on_click=_cancel,
            args=(run,),
        )
        st.button(
            "Submit" if len(forms) == 1 else f"Submit all {len(forms)}",
            type="primary",
            icon=":material/send:",
            key=f"submit_{run.id}",
            on_click=_submit,
            args=(run, forms),
        )


def _cancel(run: Run) -> None:
    cancel(run)
    st.rerun()


def _submit(run: Run, forms: list[CallForm]) -> None:
    """Send the round when all of it is answered; the page is drawn anew then."""
    answers = [_answer(form, _draft(run, form)) for form in forms]
    if any(answer.problems for answer in answers):
        st.session_state[f"attempted_{run.id}"] = _round_key(forms)
        return
    outputs = [(form.call_id, answer.output) for form, answer in zip(forms, answers, strict=True)]
    if problem := submit(run, outputs):
        st.session_state[f"submit_problem_{run.id}"] = problem
        return
    st.rerun()


def _draft(run: Run, form: CallForm) -> FormDraft:
    return FormDraft(run.id, form.key, run.id, run.thread_id)


def _answer(form: CallForm, draft: FormDraft) -> Answer:
    return answer_of(form, draft.values(), _is_as_text(form, draft))


def _round_key(forms: list[CallForm]) -> list[str]:
    return [form.key for form in forms]


def _countdown(run: Run) -> None:
    """Why the run waits and how long it will; looks now and then whether it still does."""
    ticks = st.session_state.get("countdown_ticks", 0) + 1
    st.session_state["countdown_ticks"] = ticks
    left = (run.expires_at or 0) - time.time()
    if (left <= 0 or ticks % LOOK_EVERY == 0) and has_moved_on(run):
        st.rerun()
    count = len(call_forms(run))
    calls = "a function call" if count == 1 else f"{count} function calls"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f":violet[:material/front_hand:] **Your turn.** The run waits for your answer to "
            f"{calls}.",
            width="stretch",
        )
        st.badge(_left(left), icon=":material/timer:", color="orange" if left < 60 else "gray")


def _left(seconds: float) -> str:
    if seconds <= 0:
        return "expiring now"
    if seconds >= DAY:
        return f"expires in {int(seconds // DAY)} d {int(seconds % DAY // HOUR)} h"
    return f"expires in {duration(seconds)}"


def _pace(run: Run) -> float:
    """Seconds between two countdown ticks: a run that waits for days needs no haste."""
    left = (run.expires_at or 0) - time.time()
    return 1.0 if left < HOUR else 3.0
