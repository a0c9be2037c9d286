"""The parts of the Waiting page: the list of waiting runs, and the form of the chosen one."""

import time

import openai
import streamlit as st
from openai import OpenAI
from openai.types.beta.threads import Run

from lib.dashboard.answering import call_forms
from lib.dashboard.formatting import DAY, HOUR, duration
from lib.dashboard.labels import heading, plain
from lib.dashboard.navigation import page
from lib.dashboard.run_tables import UNNAMED, UNTITLED
from lib.dashboard.studio_api import ListedRun, find_run, list_runs
from lib.dashboard.waiting_form import waiting_form

MOST_SHOWN = 100


def waiting_calls(client: OpenAI) -> list[ListedRun]:
    """The runs that wait for a person, the one that expires first comes first."""
    waiting = list_runs(client, status="requires_action", limit=MOST_SHOWN).data
    return sorted(waiting, key=lambda run: run.expires_at or 0)


def chosen_of(waiting: list[ListedRun]) -> ListedRun | None:
    """The run that the address names, or else the one that expires first."""
    wanted = st.query_params.get("run")
    return next((run for run in waiting if run.id == wanted), waiting[0] if waiting else None)


def waiting_list(waiting: list[ListedRun], chosen: ListedRun) -> None:
    """Every waiting run in two lines; a click opens its form."""
    for run in waiting:
        is_open = run.id == chosen.id
        with st.container(border=is_open, gap="xsmall", key=f"waiting_{run.id}"):
            title = heading(run.thread_title or UNTITLED, 50)
            st.button(
                f"**{title}**" if is_open else title,
                key=f"choose_{run.id}",
                type="tertiary",
                icon=":material/front_hand:",
                wrap=False,
                on_click=_choose,
                args=(run.id,),
            )
            st.caption(f"{_functions(run)} · {_left(run)}")


def chosen_form(run: ListedRun) -> None:
    """Who asks, in which thread, and the form."""
    with st.container(horizontal=True, vertical_alignment="center"):
        name = plain(run.assistant_name or UNNAMED)
        st.caption(f":material/school: {name} · {plain(run.model)}", width="stretch")
        st.page_link(
            page("chat"),
            label="Open in chat",
            icon=":material/chat:",
            query_params={"thread": run.thread_id, "run": run.id},
        )
    waiting_form(run)


def nothing_waits() -> None:
    with st.container(border=True, horizontal_alignment="center"):
        st.space("small")
        st.subheader("Nothing waits for you", text_alignment="center", anchor=False)
        st.caption(
            "When an assistant calls a function, its run stops here until someone answers.",
            text_alignment="center",
        )
        st.page_link(page("assistants"), label="Give an assistant functions", icon=":material/add:")
        st.space("small")


def linked_run(client: OpenAI) -> Run | None:
    """The run that the address names, whether it still waits or not."""
    wanted = st.query_params.get("run")
    if wanted is None:
        return None
    try:
        return find_run(client, wanted)
    except openai.NotFoundError:
        return None


def _choose(run_id: str) -> None:
    st.query_params["run"] = run_id


def _functions(run: ListedRun) -> str:
    names = list(dict.fromkeys(form.function for form in call_forms(run)))
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return plain(", ".join(names[:2]) + more)


def _left(run: ListedRun) -> str:
    seconds = max(0, (run.expires_at or 0) - time.time())
    if seconds >= DAY:
        return f"{int(seconds // DAY)} d {int(seconds % DAY // HOUR)} h left"
    return f"{duration(seconds)} left"
