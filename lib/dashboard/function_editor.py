"""The functions of an assistant: listed, edited as JSON with a preview, pasted, or picked."""

import json
from dataclasses import dataclass
from typing import Any

import openai
import streamlit as st
from openai.types.beta import Assistant

from lib.dashboard.client import studio_client
from lib.dashboard.dialogs import dialog
from lib.dashboard.drafts import FormDraft
from lib.dashboard.errors import sentence_for
from lib.dashboard.form_widgets import draw_field
from lib.dashboard.formatting import DAY, HOUR, MINUTE
from lib.dashboard.function_forms.definitions import (
    DefinitionError,
    Problem,
    formatted,
    problems_in,
    read_pasted,
)
from lib.dashboard.function_forms.ready_made import READY_MADE
from lib.dashboard.function_forms.samples import preview_form
from lib.dashboard.keep_typing import keep_typing
from lib.dashboard.labels import heading, plain
from lib.dashboard.studio_api import server_functions

EDITOR = "function_editor"
CODE_FONT = f"<style>.st-key-{EDITOR} textarea {{ font-family: monospace; }}</style>"
"""Definitions are code, and Streamlit has no editor for code."""
MOST_TOOLS = 128
MOST_PROBLEMS = 5
UNITS = {"minutes": MINUTE, "hours": HOUR, "days": DAY}
SHORTEST, LONGEST = MINUTE, 30 * DAY
NEW_FUNCTION: dict[str, Any] = {
    "name": "my_function",
    "description": "What it does, and when the assistant should call it.",
    "parameters": {
        "type": "object",
        "properties": {"question": {"type": "string"}},
        "required": ["question"],
    },
}


@dataclass
class _Editor:
    """What is being edited: the functions as JSON texts, and which of them is open."""

    texts: list[str]
    chosen: int = 0
    version: int = 0
    """Grows when a text is changed by us, so that its text area begins anew."""
    pasted_problem: str = ""

    def add(self, definitions: list[dict[str, Any]]) -> None:
        self.texts += [formatted(one) for one in definitions]
        self.chosen = len(self.texts) - 1
        self.version += 1


def functions_button(assistant: Assistant) -> None:
    """Opens the editor; says how many functions there are."""
    count = len(_definitions(assistant))
    label = f"Functions ({count})" if count else "Functions"
    if st.button(label, icon=":material/function:", key=f"functions_{assistant.id}"):
        st.session_state.pop(EDITOR, None)
        functions_dialog(assistant)


@dialog("Functions", width="large", icon=":material/function:")
def functions_dialog(assistant: Assistant) -> None:
    """The editor in a window of its own."""
    edit_functions(assistant)


def edit_functions(assistant: Assistant) -> None:
    """Edit an assistant's functions, and how long its runs wait for answers."""
    if EDITOR not in st.session_state:
        texts = [formatted(one) for one in _definitions(assistant)]
        st.session_state[EDITOR] = _Editor(texts)
    editor: _Editor = st.session_state[EDITOR]
    with st.container(key=EDITOR):
        st.caption(
            "The assistant may call these. A run that calls one waits until a person, or a "
            "program, gives the answer."
        )
        _ways_to_add(editor)
        if editor.texts:
            _chosen_function(editor)
        _waiting_time(assistant)
        _save_button(assistant, editor)
        keep_typing(EDITOR)
        st.html(CODE_FONT)


def _ways_to_add(editor: _Editor) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        choice = st.menu_button(
            "Add a ready one", list(READY_MADE), icon=":material/add:", key="add_ready"
        )
        st.button("New", icon=":material/edit_square:", on_click=editor.add, args=([NEW_FUNCTION],))
        _server_functions(editor)
    if choice:
        editor.add([READY_MADE[choice]])
    with st.expander("Paste a definition", icon=":material/content_paste:"):
        st.text_area(
            "Definition",
            key="pasted_definition",
            height=120,
            label_visibility="collapsed",
            placeholder=(
                "JSON of any common shape (single quotes and trailing commas are fine), "
                "or a Python function with type hints"
            ),
        )
        st.button("Add what I pasted", icon=":material/add:", on_click=_add_pasted, args=(editor,))
        if editor.pasted_problem:
            st.error(plain(editor.pasted_problem), icon=":material/error:")


def _server_functions(editor: _Editor) -> None:
    """The functions that the server can run itself, where it has a folder of them."""
    try:
        offered = server_functions(studio_client())
    except openai.OpenAIError:
        return
    by_name = {tool["function"]["name"]: tool["function"] for tool in offered.data}
    if by_name:
        chosen = st.menu_button(
            "Add one of the server's", list(by_name), icon=":material/dns:", key="add_server"
        )
        if chosen:
            editor.add([{**by_name[chosen], "run": "ask"}])
    for problem in offered.problems:
        st.caption(f":orange[:material/warning:] {plain(problem.file)}: {plain(problem.message)}")


def _add_pasted(editor: _Editor) -> None:
    try:
        editor.add(read_pasted(st.session_state["pasted_definition"] or ""))
    except DefinitionError as error:
        editor.pasted_problem = str(error)
        return
    editor.pasted_problem = ""
    st.session_state["pasted_definition"] = ""


def _chosen_function(editor: _Editor) -> None:
    positions = range(len(editor.texts))
    names = [_name_in(text) for text in editor.texts]
    key = f"chosen_function_{editor.version}"
    st.session_state.setdefault(key, min(editor.chosen, len(names) - 1))
    chosen = st.pills(
        "Functions",
        positions,
        key=key,
        required=True,
        format_func=lambda at: plain(names[at]),
        label_visibility="collapsed",
    )
    editor.chosen = chosen or 0
    editing, preview = st.columns([3, 2], gap="medium")
    with editing:
        _text_of(editor, editor.chosen)
    with preview:
        st.caption("Preview of the form")
        _preview(editor.texts[editor.chosen])


def _text_of(editor: _Editor, chosen: int) -> None:
    key = f"function_text_{editor.version}_{chosen}"
    st.session_state.setdefault(key, editor.texts[chosen])
    st.text_area(
        "Definition as JSON",
        key=key,
        height=360,
        label_visibility="collapsed",
        on_change=_take_text,
        args=(editor, chosen, key),
    )
    problems = problems_in(editor.texts[chosen])
    for problem in problems[:MOST_PROBLEMS]:
        st.caption(f":red[:material/error: {plain(str(problem))}]")
        _line_of(problem, editor.texts[chosen])
    if not problems:
        st.caption(":green[:material/check_circle:] Valid.")
    with st.container(horizontal=True):
        st.button(
            "Format",
            icon=":material/format_align_left:",
            disabled=not _is_json(editor.texts[chosen]),
            on_click=_format,
            args=(editor, chosen),
        )
        st.button("Remove", icon=":material/delete:", on_click=_remove, args=(editor, chosen))


def _take_text(editor: _Editor, chosen: int, key: str) -> None:
    editor.texts[chosen] = st.session_state[key]


def _line_of(problem: Problem, text: str) -> None:
    """The line that the problem is about."""
    lines = text.splitlines()
    if problem.line is not None and problem.line <= len(lines):
        st.code(f"{problem.line:>3}  {lines[problem.line - 1].strip()[:120]}", language=None)


def _format(editor: _Editor, chosen: int) -> None:
    editor.texts[chosen] = formatted(json.loads(editor.texts[chosen]))
    editor.version += 1


def _remove(editor: _Editor, chosen: int) -> None:
    del editor.texts[chosen]
    editor.chosen = max(0, chosen - 1)
    editor.version += 1


def _preview(text: str) -> None:
    if problems_in(text):
        st.caption("It appears as soon as the definition is valid.")
        return
    form = preview_form(json.loads(text))
    draft = FormDraft("preview", f"preview {hash(text)}")
    with st.container(border=True, height=420):
        st.markdown(f"##### {heading(form.title, 80)}")
        if form.intro:
            st.markdown(form.intro)
        draw_field(form.root, draft, {})


def _waiting_time(assistant: Assistant) -> None:
    seconds = getattr(assistant, "run_expires_after", None)
    unit = _unit_of(seconds)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input(
            "Runs wait for answers for",
            min_value=1,
            value=None if seconds is None else max(1, int(seconds) // UNITS[unit]),
            step=1,
            placeholder="As set for the server",
            key="expires_number",
            width=240,
        )
        st.segmented_control(
            "Unit",
            list(UNITS),
            default=unit,
            required=True,
            key="expires_unit",
            label_visibility="collapsed",
        )


def _unit_of(seconds: int | None) -> str:
    """The largest unit in which the time is a whole number."""
    if seconds is None:
        return "minutes"
    whole = [unit for unit, size in UNITS.items() if seconds >= size and seconds % size == 0]
    return whole[-1] if whole else "minutes"


def _save_button(assistant: Assistant, editor: _Editor) -> None:
    with st.container(horizontal=True, horizontal_alignment="right"):
        wants_save = st.button("Save", type="primary", icon=":material/check:")
    if not wants_save:
        return
    problem = _problem_with(editor)
    if problem:
        st.error(problem, icon=":material/error:")
        return
    functions = [{"type": "function", "function": json.loads(text)} for text in editor.texts]
    others = [tool.to_dict() for tool in assistant.tools if tool.type != "function"]
    try:
        studio_client().beta.assistants.update(
            assistant.id,
            tools=[*others, *functions],  # type: ignore[list-item]
            extra_body={"run_expires_after": _seconds()},
        )
    except openai.OpenAIError as error:
        st.error(sentence_for(error), icon=":material/error:")
        return
    st.session_state["assistants_notice"] = f"{assistant.name or 'The assistant'} is saved."
    st.rerun()


def _problem_with(editor: _Editor) -> str:
    """What keeps the whole from being saved; empty when nothing does."""
    for text in editor.texts:
        if problems := problems_in(text):
            return f"{plain(_name_in(text))} cannot be saved. {plain(str(problems[0]))}"
    names = [_name_in(text) for text in editor.texts]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        return f"Two functions are called {plain(twice)}; give each a name of its own."
    if len(names) > MOST_TOOLS:
        return f"An assistant has at most {MOST_TOOLS} tools; remove some."
    seconds = _seconds()
    if seconds is not None and not SHORTEST <= seconds <= LONGEST:
        return "Runs may wait between one minute and 30 days."
    return ""


def _seconds() -> int | None:
    number = st.session_state.get("expires_number")
    unit = st.session_state.get("expires_unit") or "minutes"
    return None if number is None else int(number) * UNITS[unit]


def _definitions(assistant: Assistant) -> list[dict[str, Any]]:
    tools = [tool.to_dict() for tool in assistant.tools if tool.type == "function"]
    return [dict(tool["function"]) for tool in tools]  # type: ignore[call-overload]


def _name_in(text: str) -> str:
    try:
        name = json.loads(text)["name"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return "(not valid)"
    return str(name)[:64] or "(unnamed)"


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
