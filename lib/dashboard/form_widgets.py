"""Fields as Streamlit widgets whose values are kept in a draft at every change."""

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Any

import openai
import streamlit as st

from lib.dashboard.client import studio_client
from lib.dashboard.drafts import FormDraft
from lib.dashboard.errors import sentence_for
from lib.dashboard.formatting import shortened
from lib.dashboard.function_forms.call_form import json_note
from lib.dashboard.function_forms.fields import Field
from lib.dashboard.function_forms.values import MOST_ENTRIES, entries_of
from lib.dashboard.labels import plain
from lib.dashboard.message_markdown import to_markdown

FEW_OPTIONS = 8
LONGEST_LABEL = 120
LONGEST_OPTION = 400
EARLIEST, LATEST = date(1000, 1, 1), date(2999, 12, 31)
TYPING_PAUSE = "400ms"


def draw_field(field: Field, draft: FormDraft, problems: Mapping[str, str]) -> None:
    """One field with what is wrong with it; a group and a list draw all that is inside."""
    if field.text:
        st.markdown(field.text)
    match field.kind:
        case "group":
            _group(field, draft, problems)
        case "list":
            _list(field, draft, problems)
        case "file" | "files":
            _files(field, draft)
        case _:
            _DRAW[field.kind](field, draft)
    if problem := problems.get(field.id):
        st.caption(f":red[:material/error: {plain(problem)}]")


def _label(field: Field) -> str:
    label = plain(shortened(field.label, LONGEST_LABEL)) or "Answer"
    return label if field.required else f"{label} :gray[(optional)]"


def _common(field: Field, draft: FormDraft) -> dict[str, Any]:
    """What every widget of a field is given. Its value comes from the draft by its key."""
    key = draft.widget_key(field.id)
    if key not in st.session_state:
        kept = draft.values().get(field.id, _default(field))
        st.session_state[key] = _to_widget(field, kept)
    return {
        "label": _label(field),
        "key": key,
        "help": to_markdown(field.help) or None,
        "label_visibility": "collapsed" if field.text else "visible",
        "on_change": _keep,
        "args": (field, draft, key),
    }


def _keep(field: Field, draft: FormDraft, key: str) -> None:
    draft.keep({field.id: _to_draft(st.session_state[key])})


def _default(field: Field) -> Any:
    if field.kind == "choice":
        return field.options.index(field.default) if field.default in field.options else None
    return field.default if isinstance(field.default, str | int | float) else None


def _to_draft(value: Any) -> Any:
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    return list(value) if isinstance(value, list | tuple) else value


def _to_widget(field: Field, kept: Any) -> Any:
    """A kept value as the widget takes it; one that it cannot take is left out."""
    try:
        return _FROM_DRAFT[field.kind](field, kept)
    except (TypeError, ValueError, OverflowError):
        return _EMPTY.get(field.kind)


def _position(field: Field, kept: Any) -> int | None:
    is_there = isinstance(kept, int) and 0 <= kept < len(field.options)
    return kept if is_there else None


def _as_date(_field: Field, kept: Any) -> date | None:
    if kept is None:
        return None
    found = date.fromisoformat(kept)
    return found if EARLIEST <= found <= LATEST else None


def _as_datetime(_field: Field, kept: Any) -> datetime | None:
    if kept is None:
        return None
    found = datetime.fromisoformat(kept)
    return found if EARLIEST <= found.date() <= LATEST else None


def _as_text(_field: Field, kept: Any) -> str:
    return "" if kept is None else str(kept)


_FROM_DRAFT: dict[str, Callable[[Field, Any], Any]] = {
    "text": _as_text,
    "long_text": _as_text,
    "json": _as_text,
    "output": _as_text,
    "number": lambda _field, kept: None if kept is None else float(kept),
    "integer": lambda _field, kept: None if kept is None else int(kept),
    "boolean": lambda _field, kept: kept if isinstance(kept, bool) else None,
    "date": _as_date,
    "datetime": _as_datetime,
    "time": lambda _field, kept: None if kept is None else time.fromisoformat(kept),
    "choice": _position,
    "choices": lambda field, kept: [one for one in kept or [] if _position(field, one) is not None],
}
_EMPTY: dict[str, Any] = {"text": "", "long_text": "", "json": "", "output": "", "choices": []}


def _text(field: Field, draft: FormDraft) -> None:
    st.text_input(**_common(field, draft), max_chars=field.max_length, live=TYPING_PAUSE)


def _long_text(field: Field, draft: FormDraft) -> None:
    st.text_area(**_common(field, draft), max_chars=field.max_length, height=100)


def _json(field: Field, draft: FormDraft) -> None:
    st.text_area(**_common(field, draft), height=140, placeholder='{"key": "value"}')


def _output(field: Field, draft: FormDraft) -> None:
    st.text_area(
        **_common(field, draft),
        height=120,
        placeholder="What the function returns: text, or JSON",
    )
    if note := json_note(st.session_state[draft.widget_key(field.id)]):
        st.caption(plain(note))


def _number(field: Field, draft: FormDraft) -> None:
    st.number_input(**_common(field, draft), value=None, step=1.0, format="%0.10g")


def _integer(field: Field, draft: FormDraft) -> None:
    st.number_input(**_common(field, draft), value=None, step=1)


def _boolean(field: Field, draft: FormDraft) -> None:
    st.segmented_control(
        **_common(field, draft),
        options=[True, False],
        format_func=lambda is_yes: "Yes" if is_yes else "No",
    )


def _date(field: Field, draft: FormDraft) -> None:
    st.date_input(
        **_common(field, draft),
        value=None,
        min_value=EARLIEST,
        max_value=LATEST,
        format="YYYY-MM-DD",
    )


def _datetime(field: Field, draft: FormDraft) -> None:
    st.datetime_input(
        **_common(field, draft),
        value=None,
        min_value=datetime.combine(EARLIEST, time.min),
        max_value=datetime.combine(LATEST, time.max),
        format="YYYY-MM-DD",
    )


def _time(field: Field, draft: FormDraft) -> None:
    st.time_input(**_common(field, draft), value=None, step=60)


def _choice(field: Field, draft: FormDraft) -> None:
    positions = range(len(field.options))
    common = _common(field, draft)
    if len(field.options) > FEW_OPTIONS:
        names = [shortened(_option(one), LONGEST_OPTION) for one in field.options]
        st.selectbox(**common, options=positions, index=None, format_func=lambda at: names[at])
        return
    names = [_option_markdown(one) for one in field.options]
    st.radio(
        **common, options=positions, index=None, format_func=lambda at: names[at], width="stretch"
    )


def _choices(field: Field, draft: FormDraft) -> None:
    positions = range(len(field.options))
    common = _common(field, draft)
    if len(field.options) > FEW_OPTIONS:
        names = [shortened(_option(one), LONGEST_OPTION) for one in field.options]
        st.multiselect(**common, options=positions, format_func=lambda at: names[at])
        return
    names = [_option_markdown(one) for one in field.options]
    st.pills(
        **common,
        options=positions,
        selection_mode="multi",
        format_func=lambda at: names[at],
    )


def _option(option: Any) -> str:
    text = option if isinstance(option, str) else json.dumps(option, ensure_ascii=False)
    return text or "(empty)"


def _option_markdown(option: Any) -> str:
    return to_markdown(shortened(_option(option), LONGEST_OPTION))


def _group(field: Field, draft: FormDraft, problems: Mapping[str, str]) -> None:
    is_outermost = not field.name
    with st.container(border=not is_outermost):
        if not is_outermost:
            st.markdown(f"**{_label(field)}**", help=to_markdown(field.help) or None)
        for inside in field.fields:
            draw_field(inside, draft, problems)


def _list(field: Field, draft: FormDraft, problems: Mapping[str, str]) -> None:
    entries = entries_of(field, draft.values())
    most = MOST_ENTRIES if field.most is None else min(field.most, MOST_ENTRIES)
    with st.container(border=True):
        st.markdown(f"**{_label(field)}**", help=to_markdown(field.help) or None)
        for number, entry in enumerate(entries):
            with st.container(horizontal=True, vertical_alignment="bottom"):
                with st.container(width="stretch"):
                    draw_field(entry, draft, problems)
                st.button(
                    f"Remove {number + 1}",
                    icon=":material/close:",
                    type="tertiary",
                    key=draft.widget_key(f"{field.id}:remove{number}"),
                    on_click=_remove_entry,
                    args=(field, draft, number),
                )
        st.button(
            "Add",
            icon=":material/add:",
            key=draft.widget_key(f"{field.id}:add"),
            disabled=len(entries) >= most,
            on_click=draft.keep,
            args=({field.id: len(entries) + 1},),
        )


def _remove_entry(field: Field, draft: FormDraft, number: int) -> None:
    """Take one entry out; those behind it move up."""
    values = draft.values()
    count = len(entries_of(field, values))
    changes: dict[str, Any] = {field.id: count - 1}
    inside = {key: value for key, value in values.items() if key.startswith(f"{field.id}.")}
    changes |= {key: None for key in inside if _entry_number(field, key) >= number}
    for key, value in inside.items():
        at = _entry_number(field, key)
        if at > number:
            rest = key.removeprefix(f"{field.id}.{at}")
            changes[f"{field.id}.{at - 1}{rest}"] = value
    draft.keep(changes)
    draft.forget_widgets(field.id)


def _entry_number(field: Field, key: str) -> int:
    number = key.removeprefix(f"{field.id}.").split(".")[0]
    return int(number) if number.isdigit() else -1


def _files(field: Field, draft: FormDraft) -> None:
    """Files are uploaded at once, so that the draft needs to keep only their ids."""
    kept: list[dict[str, str]] = draft.values().get(field.id) or []
    for number, file in enumerate(kept):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f":material/draft: {plain(file['name'])}", width="stretch")
            st.button(
                f"Remove {number + 1}",
                icon=":material/close:",
                type="tertiary",
                key=draft.widget_key(f"{field.id}:remove{number}"),
                on_click=draft.keep,
                args=({field.id: [one for one in kept if one is not file] or None},),
            )
    if kept and field.kind == "file":
        st.caption(_label(field))
        return
    key = draft.widget_key(f"{field.id}:upload{len(kept)}")
    st.file_uploader(
        _label(field),
        accept_multiple_files=field.kind == "files",
        key=key,
        help=to_markdown(field.help) or None,
        on_change=_upload,
        args=(field, draft, kept, key),
    )
    if problem := st.session_state.pop(f"{key}:problem", None):
        st.error(problem, icon=":material/error:")


def _upload(field: Field, draft: FormDraft, kept: list[dict[str, str]], key: str) -> None:
    chosen = st.session_state[key] or []
    try:
        files = [
            studio_client().files.create(file=(one.name, one.getvalue()), purpose="assistants")
            for one in (chosen if isinstance(chosen, list) else [chosen])
        ]
    except openai.OpenAIError as error:
        st.session_state[f"{key}:problem"] = sentence_for(error)
        return
    uploaded = [{"id": file.id, "name": file.filename} for file in files]
    draft.keep({field.id: [*kept, *uploaded] or None})


_DRAW: dict[str, Callable[[Field, FormDraft], None]] = {
    "text": _text,
    "long_text": _long_text,
    "json": _json,
    "output": _output,
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
    "time": _time,
    "choice": _choice,
    "choices": _choices,
}
