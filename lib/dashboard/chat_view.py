"""The parts of the Chat page: threads, header, messages, the streamed answer, the composer."""

import time
from collections.abc import Sequence
from datetime import tzinfo

import openai
import streamlit as st
from openai import OpenAI
from openai.types.beta import Assistant, Thread
from openai.types.beta.threads import Message, Run
from openai.types.beta.threads.runs import RunStep
from streamlit.delta_generator import DeltaGenerator
from streamlit.typing import UploadedFile

from lib.dashboard.attachments import (
    Accepted,
    accepted_by,
    keep_unsent,
    show_unsent_files,
    unsent_files,
)
from lib.dashboard.chat_place import ChatPlace, go_to
from lib.dashboard.citations import markdown_with_numbers
from lib.dashboard.citations_view import show_sources
from lib.dashboard.code_calls import code_calls_of
from lib.dashboard.code_view import LiveCell, show_code_calls
from lib.dashboard.conversation import (
    MESSAGES_AT_A_TIME,
    TITLE_LIMIT,
    ask,
    delete_thread,
    is_unfinished,
    rename_thread,
    start_run,
    stop_run,
    thread_title,
)
from lib.dashboard.dialogs import dialog
from lib.dashboard.errors import sentence_for
from lib.dashboard.file_cards import file_card, show_image
from lib.dashboard.file_previews import is_image
from lib.dashboard.formatting import ago, moment, shortened
from lib.dashboard.labels import heading, plain
from lib.dashboard.message_files import file_ids, image_ids, missing_files
from lib.dashboard.message_markdown import to_markdown, without_open_formula
from lib.dashboard.model_status import model_progress
from lib.dashboard.navigation import page
from lib.dashboard.object_code import object_code
from lib.dashboard.preparation import is_preparing
from lib.dashboard.run_polling import follow_run
from lib.dashboard.run_progress import RunProgress, message_text
from lib.dashboard.run_steps import Steps, steps_of_messages, steps_without_message
from lib.dashboard.run_tables import UNNAMED, UNTITLED
from lib.dashboard.run_words import ACTIVE, cure_for, problem_of
from lib.dashboard.sdk_calls import message_calls, thread_calls
from lib.dashboard.searches_view import show_searches
from lib.dashboard.stored_files import stored_file
from lib.dashboard.studio_api import Health, list_threads, read_health
from lib.dashboard.unsent import show_unsent
from lib.dashboard.waiting_form import waiting_form

THREADS_AT_A_TIME = 20
TITLE_SHOWN = 48
MESSAGE_LIMIT = 256_000
LOOK_AT_THE_MODEL_EVERY = 1.0
ASSISTANT_AVATAR = ":material/school:"
USER_AVATAR = ":material/person:"

SUGGESTIONS = {
    ":material/function: Solve an equation": (
        "I need to solve the equation `3x + 11 = 14`. Can you help me?"
    ),
    ":material/lightbulb: Explain a proof": (
        "Why is the square root of 2 irrational? Explain it in simple steps."
    ),
    ":material/exercise: Give me practice": (
        "Give me three short exercises on fractions, easiest first."
    ),
}


def thread_list(client: OpenAI, place: ChatPlace) -> None:
    """All threads, the newest first, and the way to a new one."""
    st.button(
        "New thread",
        icon=":material/edit_square:",
        width="stretch",
        on_click=go_to,
        args=(place.on_thread(None),),
    )
    count = st.session_state.setdefault("threads_shown", THREADS_AT_A_TIME)
    threads = list_threads(client, limit=min(100, count), order="desc")
    with st.container(gap="xsmall", key="thread_list"):
        for thread in threads.data:
            _thread_link(thread.id, thread.title or UNTITLED, thread.last_active_at, place=place)
    if threads.has_more and count < 100:
        st.button("Show more", type="tertiary", on_click=_show_more_threads)


def chat_header(
    assistants: list[Assistant], thread: Thread | None, messages: list[Message], place: ChatPlace
) -> None:
    """The thread's title, what can be done with it, and who answers."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(
            heading(thread_title(thread, messages), TITLE_SHOWN), anchor=False, width="stretch"
        )
        if thread is not None:
            st.page_link(
                page("runs"),
                label="Runs",
                icon=":material/timeline:",
                query_params={"of": thread.id},
                help="The runs of this thread, with tokens, cost and durations.",
            )
            object_code(thread, thread_calls(thread), "thread")
            choice = st.menu_button(
                "Thread",
                ["Rename", "Delete"],
                icon=":material/more_horiz:",
                key="thread_menu",
                type="tertiary",
            )
            if choice == "Rename":
                rename_dialog(thread, thread_title(thread, messages))
            if choice == "Delete":
                delete_dialog(place, thread)
    _assistant_choice(assistants, place)


def show_messages(
    client: OpenAI, messages: list[Message], has_earlier: bool, run: Run | None, timezone: tzinfo
) -> None:
    """The messages that are complete; those of a run at work are drawn as they stream."""
    if has_earlier:
        with st.container(horizontal_alignment="center"):
            st.button(
                "Show earlier",
                icon=":material/expand_less:",
                type="tertiary",
                on_click=_show_earlier,
            )
    steps = steps_of_messages(client, messages, run)
    for message in messages:
        if run is not None and run.status in ACTIVE and message.run_id == run.id:
            continue
        _show_message(client, message, steps.get(message.id, ()), timezone)


def show_answer_as_it_comes(client: OpenAI, run: Run) -> None:
    """Attach to the run and draw its answer, from the first word to the last."""
    with st.chat_message("assistant", avatar=ASSISTANT_AVATAR):
        view = _AnswerView(client, st.container())
        for progress in follow_run(client, run.thread_id, run.id):
            view.draw(progress)


def show_work_without_answer(client: OpenAI, run: Run) -> None:
    """What a run did after its last message, such as code that was stopped."""
    steps = steps_without_message(client, run)
    if any(code_calls_of(step) for step in steps):
        with st.chat_message("assistant", avatar=ASSISTANT_AVATAR):
            _show_code(client, steps)


def show_outcome(run: Run, place: ChatPlace) -> None:
    """Say in one sentence what became of a run that did not complete, and offer a way on."""
    problem, cure = problem_of(run), cure_for(run)
    if run.status == "requires_action":
        waiting_form(run)
        return
    if not problem:
        return
    if run.status == "failed":
        st.error(f"{problem} {cure}".strip(), icon=":material/error:")
    else:
        st.info(f"{problem} {cure}", icon=":material/info:")
    show_unsent(run)
    _try_again(place)


def show_unanswered(messages: list[Message], run: Run | None, place: ChatPlace) -> None:
    """Offer an answer to a question that no run has taken up."""
    is_settled = run is None or not (is_unfinished(run) or problem_of(run))
    if messages and messages[-1].role == "user" and is_settled:
        st.button(
            "Get an answer",
            icon=":material/send:",
            on_click=start_run,
            args=(place,),
        )


def suggestions(assistant: Assistant, place: ChatPlace) -> None:
    """How a conversation may begin, one click each."""
    st.space("medium")
    with st.container(horizontal_alignment="center"):
        name = plain(assistant.name or "the assistant")
        st.subheader(f"Ask {name}", text_alignment="center", anchor=False)
        about = assistant.description or assistant.instructions
        if about:
            st.caption(plain(shortened(about, 160)), text_alignment="center")
        st.pills(
            "Suggestions",
            list(SUGGESTIONS),
            label_visibility="collapsed",
            key="suggestion",
            on_change=_ask_suggestion,
            args=(place,),
        )


def composer(
    run: Run | None, place: ChatPlace, assistant: Assistant, health: Health | None
) -> None:
    """Where the question is written, and the button that stops the answer."""
    is_busy = is_unfinished(run)
    accepted = accepted_by(assistant, health)
    if run is not None and run.status in ACTIVE:
        with st.bottom, st.container(horizontal_alignment="center"):
            st.button(
                "Stop", icon=":material/stop_circle:", key="stop", on_click=stop_run, args=(run,)
            )
    with st.bottom:
        show_unsent_files()
    # Outside st.bottom it goes there by itself, and then the page scrolls along with the answer.
    st.chat_input(
        _invitation(run),
        key="question",
        max_chars=MESSAGE_LIMIT,
        disabled=is_busy,
        accept_file="multiple" if accepted.anything else False,
        file_type=accepted.file_types,
        on_submit=_ask_question,
        args=(place, accepted),
    )


def _invitation(run: Run | None) -> str:
    if run is not None and run.status == "requires_action":
        return "Answer the form above first"
    return "The assistant is answering …" if is_unfinished(run) else "Ask a question"


@dialog("Rename this thread", icon=":material/edit:")
def rename_dialog(thread: Thread, title: str) -> None:
    """Ask for the thread's new title."""
    with st.form("rename_thread", border=False):
        new_title = st.text_input("Title", title, max_chars=TITLE_LIMIT)
        submitted = st.form_submit_button("Save", type="primary")
    if not submitted:
        return
    if not (new_title or "").strip():
        st.error("A title needs at least one letter.", icon=":material/error:")
        return
    try:
        rename_thread(thread, str(new_title).strip())
    except openai.OpenAIError as error:
        st.error(sentence_for(error), icon=":material/error:")
        return
    st.rerun()


@dialog("Delete this thread?", icon=":material/delete:")
def delete_dialog(place: ChatPlace, thread: Thread) -> None:
    """Ask before a thread is deleted for good."""
    st.markdown("Its messages and runs will be gone for good.")
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Keep it"):
            st.rerun()
        if st.button("Delete", type="primary", icon=":material/delete:"):
            _delete(place, thread)


class _AnswerView:
    """Draws a run's progress into one place, again and again: code and words as they come."""

    def __init__(self, client: OpenAI, place: DeltaGenerator) -> None:
        self._client = client
        self._parts = place.container()
        self._waiting = place.empty()
        self._texts: dict[str, DeltaGenerator] = {}
        self._cells: dict[tuple[str, int], LiveCell] = {}
        self._looked_at_model = 0.0

    def draw(self, progress: RunProgress) -> None:
        is_speaking = False
        for step in progress.steps.values():
            is_speaking = self._draw_step(progress, step)
        if is_speaking:
            self._waiting.empty()
            return
        self._draw_waiting(progress)

    def _draw_step(self, progress: RunProgress, step: RunStep) -> bool:
        """True when the step itself shows that the assistant is at work."""
        if step.step_details.type == "message_creation":
            return self._draw_text(progress, step.step_details.message_creation.message_id)
        cells = progress.cells.get(step.id, {})
        for index, call in cells.items():
            key = (step.id, index)
            if key not in self._cells:
                self._cells[key] = LiveCell(self._client, self._parts)
            self._cells[key].draw(call)
        return any(not call.is_over for call in cells.values())

    def _draw_text(self, progress: RunProgress, message_id: str) -> bool:
        text = progress.texts.get(message_id)
        if not text:
            return False
        if message_id not in self._texts:
            self._texts[message_id] = self._parts.empty()
        self._texts[message_id].markdown(markdown_with_numbers(without_open_formula(text)))
        return True

    def _draw_waiting(self, progress: RunProgress) -> None:
        status = progress.run.status if progress.run else "queued"
        if status == "cancelling":
            self._waiting.markdown(":shimmer[Stopping]")
            return
        if time.monotonic() - self._looked_at_model < LOOK_AT_THE_MODEL_EVERY:
            self._waiting.markdown(":shimmer[Thinking]") if status != "queued" else None
            return
        self._looked_at_model = time.monotonic()
        self._draw_model()

    def _draw_model(self) -> None:
        model = read_health(self._client).model
        if not is_preparing(model):
            self._waiting.markdown(":shimmer[Thinking]")
            return
        with self._waiting.container():
            st.caption("Your question is kept and will be answered as soon as the model is here.")
            model_progress(model)


def _show_message(client: OpenAI, message: Message, steps: Steps, timezone: tzinfo) -> None:
    is_user = message.role == "user"
    avatar = USER_AVATAR if is_user else ASSISTANT_AVATAR
    with st.chat_message(message.role, avatar=avatar):
        show_searches(client, steps)
        _show_code(client, steps, image_ids(message))
        for file_id in image_ids(message):
            show_image(client, file_id, "Image in the message")
        text = message_text(message)
        if message.status == "incomplete":
            text = without_open_formula(text)
        st.markdown(to_markdown(text) if is_user else markdown_with_numbers(text))
        show_sources(message)
        _show_files(client, message)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(moment(message.created_at, timezone), width="content")
            if message.run_id is not None:
                st.page_link(
                    page("runs"),
                    label="Run",
                    icon=":material/timeline:",
                    query_params={"run": message.run_id, "thread": message.thread_id},
                )
            object_code(message, message_calls(message), "message")


def _show_code(client: OpenAI, steps: Steps, shown_elsewhere: Sequence[str] = ()) -> None:
    for step in steps:
        show_code_calls(client, code_calls_of(step), shown_elsewhere)


def _show_files(client: OpenAI, message: Message) -> None:
    """What can be downloaded; a picture that the text links to is seen at once."""
    for file_id in file_ids(message):
        file = stored_file(client, file_id)
        if file and is_image(file.name) and not image_ids(message):
            show_image(client, file_id, f"The file {file.name}")
        file_card(client, file_id, message.id)
    if missing := missing_files(message):
        names = ", ".join(plain(name) for name in missing)
        st.caption(f":material/link_off: The answer names files that were not made: {names}")


def _thread_link(
    thread_id: str, title: str, last_active_at: int | None, *, place: ChatPlace
) -> None:
    is_open = thread_id == place.thread_id
    label = heading(title, 60)
    st.button(
        f"**{label}**" if is_open else label,
        key=f"open_{thread_id}",
        type="tertiary",
        wrap=False,
        icon=":material/chat_bubble:" if is_open else ":material/chat_bubble_outline:",
        help=ago(last_active_at, time.time()) if last_active_at else None,
        on_click=go_to,
        args=(ChatPlace(None, thread_id),),
    )


def _assistant_choice(assistants: list[Assistant], place: ChatPlace) -> None:
    names = {assistant.id: assistant.name or UNNAMED for assistant in assistants}
    st.session_state["chat_assistant"] = place.assistant_id
    st.selectbox(
        "Assistant",
        list(names),
        format_func=lambda assistant_id: names.get(assistant_id, assistant_id),
        label_visibility="collapsed",
        icon=":material/school:",
        width=300,
        key="chat_assistant",
        on_change=_choose_assistant,
        args=(place,),
    )


def _choose_assistant(place: ChatPlace) -> None:
    go_to(place.with_assistant(st.session_state["chat_assistant"]))


def _try_again(place: ChatPlace) -> None:
    st.button("Try again", icon=":material/refresh:", on_click=start_run, args=(place,))


def _ask_question(place: ChatPlace, accepted: Accepted) -> None:
    submitted = st.session_state["question"]
    text, files = (
        (submitted, [])
        if isinstance(submitted, str)
        else (submitted.text or "", list(submitted.files))
    )
    to_send: list[UploadedFile] = [*unsent_files(), *files] if accepted.anything else []
    if ask(place, text, to_send, accepted):
        keep_unsent([])
        return
    # What was typed and attached stays, so that nothing is lost.
    st.session_state["question"] = text
    keep_unsent(to_send)


def _ask_suggestion(place: ChatPlace) -> None:
    chosen = st.session_state.get("suggestion")
    if chosen:
        ask(place, SUGGESTIONS[chosen])


def _delete(place: ChatPlace, thread: Thread) -> None:
    try:
        delete_thread(place, thread)
    except openai.OpenAIError as error:
        st.error(sentence_for(error), icon=":material/error:")
        return
    st.rerun()


def _show_earlier() -> None:
    st.session_state["messages_shown"] += MESSAGES_AT_A_TIME


def _show_more_threads() -> None:
    st.session_state["threads_shown"] += THREADS_AT_A_TIME
