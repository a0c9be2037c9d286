"""What the Chat page reads from the API and what its clicks do there."""

from collections.abc import Sequence

import openai
import streamlit as st
from openai import OpenAI
from openai.types.beta import Assistant, Thread
from openai.types.beta.threads import Message, Run
from streamlit.typing import UploadedFile

from lib.dashboard.attachments import Accepted, enclose
from lib.dashboard.chat_place import ChatPlace, go_to
from lib.dashboard.client import studio_client
from lib.dashboard.errors import sentence_for
from lib.dashboard.formatting import shortened
from lib.dashboard.run_progress import message_text
from lib.dashboard.run_tables import UNTITLED
from lib.dashboard.run_words import UNFINISHED
from lib.dashboard.studio_api import find_run

MESSAGES_AT_A_TIME = 50
ASSISTANTS_TO_CHOOSE_FROM = 100
TITLE_LIMIT = 512
NOTHING_ACCEPTED = Accepted()


def assistants_to_choose_from(client: OpenAI) -> list[Assistant]:
    """The newest assistants."""
    return client.beta.assistants.list(limit=ASSISTANTS_TO_CHOOSE_FROM).data


def place_of_run(client: OpenAI, place: ChatPlace) -> ChatPlace:
    """The place with the thread of its run, for links that name the run alone."""
    if place.run_id is None or place.thread_id is not None:
        return place
    try:
        run = find_run(client, place.run_id)
    except openai.NotFoundError:
        st.session_state["chat_problem"] = (
            "The run of this link does not exist any more; choose a thread or start anew."
        )
        return place.with_run(None)
    return ChatPlace(run.assistant_id, run.thread_id, run.id)


def open_thread(client: OpenAI, thread_id: str | None) -> Thread | None:
    """The thread; None for a new one, and for one that is gone, which is said on the page."""
    if thread_id is None:
        return None
    try:
        return client.beta.threads.retrieve(thread_id)
    except openai.NotFoundError:
        st.session_state["chat_problem"] = (
            "This thread does not exist any more; choose another one or start anew."
        )
        return None


def latest_run(client: OpenAI, thread: Thread | None) -> Run | None:
    """The thread's newest run, which is the only one that can be unfinished."""
    if thread is None:
        return None
    runs = client.beta.threads.runs.list(thread.id, limit=1, order="desc").data
    return runs[0] if runs else None


def newest_messages(
    client: OpenAI, thread: Thread | None, count: int
) -> tuple[list[Message], bool]:
    """The newest messages of the thread, oldest first, and whether there are earlier ones."""
    if thread is None:
        return [], False
    found: list[Message] = []
    for message in client.beta.threads.messages.list(
        thread.id, limit=min(100, count + 1), order="desc"
    ):
        if len(found) == count:
            return found[::-1], True
        found.append(message)
    return found[::-1], False


def settle_place(
    place: ChatPlace, assistants: list[Assistant], thread: Thread | None, run: Run | None
) -> ChatPlace:
    """The place with what the address left open: the assistant and the run that matter here."""
    known = {assistant.id for assistant in assistants}
    candidates = [place.assistant_id, run.assistant_id if run else None]
    chosen = next((one for one in candidates if one in known), None)
    if chosen is None and assistants:
        chosen = assistants[0].id
    settled = ChatPlace(chosen, thread.id if thread else None, run.id if run else None)
    go_to(settled)
    return settled


def is_unfinished(run: Run | None) -> bool:
    """True while the run occupies its thread."""
    return run is not None and run.status in UNFINISHED


def thread_title(thread: Thread | None, messages: list[Message]) -> str:
    """The thread's own title, or how it begins."""
    if thread is None:
        return "New thread"
    title = (thread.metadata or {}).get("title")
    if title:
        return title
    begins = message_text(messages[0]) if messages else ""
    return shortened(begins, TITLE_LIMIT) or UNTITLED


def ask(
    place: ChatPlace,
    text: str,
    files: Sequence[UploadedFile] = (),
    accepted: Accepted = NOTHING_ACCEPTED,
) -> bool:
    """Put the question and start the run that answers it; False when that failed."""
    client = studio_client()
    try:
        if place.thread_id is None:
            place = place.on_thread(client.beta.threads.create().id)
            go_to(place)
        assert place.thread_id is not None
        enclosed = enclose(client, files, accepted)
        client.beta.threads.messages.create(
            place.thread_id,
            role="user",
            content=enclosed.content(text) if files else text,  # type: ignore[arg-type]
            attachments=enclosed.attachments or None,  # type: ignore[arg-type]
        )
    except openai.OpenAIError as error:
        st.session_state["chat_problem"] = sentence_for(error)
        return False
    start_run(place)
    return True


def start_run(place: ChatPlace) -> None:
    """Let the chosen assistant answer what is in the thread."""
    if place.thread_id is None or place.assistant_id is None:
        st.session_state["chat_problem"] = "Choose an assistant first."
        return
    try:
        run = studio_client().beta.threads.runs.create(
            place.thread_id, assistant_id=place.assistant_id
        )
    except openai.OpenAIError as error:
        st.session_state["chat_problem"] = sentence_for(error)
        return
    go_to(place.with_run(run.id))


def stop_run(run: Run) -> None:
    """Cancel the run; one that ended in the meantime needs no stopping."""
    try:
        studio_client().beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
    except openai.BadRequestError:
        return
    except openai.OpenAIError as error:
        st.session_state["chat_problem"] = sentence_for(error)


def rename_thread(thread: Thread, title: str) -> None:
    """Give the thread a title; its other metadata stays."""
    metadata = {**(thread.metadata or {}), "title": title}
    studio_client().beta.threads.update(thread.id, metadata=metadata)


def delete_thread(place: ChatPlace, thread: Thread) -> None:
    """Delete the thread and leave it."""
    studio_client().beta.threads.delete(thread.id)
    go_to(place.on_thread(None))
