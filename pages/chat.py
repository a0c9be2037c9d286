"""Chat: choose an assistant and a thread, ask, watch the answer stream in."""

import streamlit as st

from lib.dashboard.answering import note_what_others_did
from lib.dashboard.assistants_view import no_assistants_yet
from lib.dashboard.chat_place import read_place
from lib.dashboard.chat_view import (
    chat_header,
    composer,
    show_answer_as_it_comes,
    show_messages,
    show_outcome,
    show_unanswered,
    show_work_without_answer,
    suggestions,
    thread_list,
)
from lib.dashboard.client import studio_client
from lib.dashboard.code_tool_status import health_if_known, tool_notice
from lib.dashboard.conversation import (
    MESSAGES_AT_A_TIME,
    assistants_to_choose_from,
    latest_run,
    newest_messages,
    open_thread,
    place_of_run,
    settle_place,
)
from lib.dashboard.dialogs import rerun_when_free
from lib.dashboard.notices import show_notices
from lib.dashboard.run_words import ACTIVE
from lib.dashboard.server_health import health_just_now
from lib.dashboard.timezone import reader_timezone

st.set_page_config(page_title="Chat · Assistants Studio", layout="centered")
client = studio_client()
place = place_of_run(client, read_place())
assistants = assistants_to_choose_from(client)
thread = open_thread(client, place.thread_id)
run = latest_run(client, thread)
place = settle_place(place, assistants, thread, run)
shown = st.session_state.setdefault("messages_shown", MESSAGES_AT_A_TIME)
messages, has_earlier = newest_messages(client, thread, shown)
chosen = next((one for one in assistants if one.id == place.assistant_id), None)

with st.sidebar:
    thread_list(client, place)

if chosen is None:
    st.title("Chat")
    show_notices("assistants")
    no_assistants_yet(health_just_now(client).model.default_model)
    st.stop()

chat_header(assistants, thread, messages, place)
show_notices("chat")
health = health_if_known(client)
tool_notice(chosen, health)
composer(run, place, chosen, health)
show_messages(client, messages, has_earlier, run, reader_timezone())
note_what_others_did(run)

if run is not None and run.status in ACTIVE:
    show_answer_as_it_comes(client, run)
    rerun_when_free()
    st.stop()

if run is not None:
    show_work_without_answer(client, run)
    show_outcome(run, place)
show_unanswered(messages, run, place)
if not messages:
    suggestions(chosen, place)
