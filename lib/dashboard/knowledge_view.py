"""The parts of the Knowledge page: stores, their files, a search to try, and who uses them."""

import openai
import pandas as pd
import streamlit as st
from openai import OpenAI
from openai.types import VectorStore, VectorStoreSearchResponse
from openai.types.beta import Assistant
from streamlit.runtime.uploaded_file_manager import UploadedFile

from lib.dashboard.assistant_knowledge import link_store, linked_store
from lib.dashboard.client import studio_client
from lib.dashboard.dialogs import dialog, rerun_when_free
from lib.dashboard.errors import errors_in_words, sentence_for
from lib.dashboard.file_previews import kind_of
from lib.dashboard.file_words import (
    UNNAMED_STORE,
    file_share,
    file_words,
    files_counted,
    is_at_work,
    size,
    store_name,
    store_words,
)
from lib.dashboard.formatting import megabytes, moment
from lib.dashboard.labels import plain
from lib.dashboard.run_tables import UNNAMED
from lib.dashboard.search_hits import excerpt, highlighted, page_of, why_it_ranks
from lib.dashboard.source_view import show_page
from lib.dashboard.store_deletion import choice_box, confirm_delete
from lib.dashboard.studio_api import EmbedderState, StoreFile, list_store_files, read_health
from lib.dashboard.timezone import reader_timezone

STORES_SHOWN = 60
FILES_SHOWN = 100
RESULTS_SHOWN = 8
NAME_LIMIT = 256
# The API takes 512 MB; the upload field would read "1GB per file" above 500.
LARGEST_FILE_MB = 500
NEVER = "Never"
EXPIRIES = {NEVER: None, "1 day": 1, "7 days": 7, "30 days": 30, "1 year": 365}
LIVE = 1.0
CALM = 10.0


def newest_stores(client: OpenAI) -> list[VectorStore]:
    return client.vector_stores.list(limit=STORES_SHOWN).data


def chosen_store(stores: list[VectorStore]) -> VectorStore | None:
    """The store in the address, else the newest."""
    wanted = st.query_params.get("store")
    return next((store for store in stores if store.id == wanted), stores[0] if stores else None)


def no_stores_yet() -> None:
    """What to do first, in one click."""
    with st.container(border=True, horizontal_alignment="center"):
        st.space("small")
        st.subheader("Give your assistants something to read", text_alignment="center")
        st.markdown(
            "A store holds files. Assistants that use it search them and quote "
            "where an answer comes from.",
            text_alignment="center",
        )
        if st.button("Create a store", icon=":material/add:", type="primary"):
            store_form(None)
        st.space("small")


def store_card(store: VectorStore, is_open: bool) -> None:
    """One store: what it holds, and what can be done with it."""
    with st.container(border=True, height="stretch", key=f"store_{store.id}"):
        with st.container(horizontal=True, vertical_alignment="center", wrap=False):
            st.markdown(f"#### {plain(store_name(store))}", width="stretch")
            choice_box(store)
        words = store_words(store)
        with st.container(horizontal=True, gap="small"):
            st.badge(words.label, icon=words.icon, color=words.color)
            if store.expires_at and store.status != "expired":
                until = moment(store.expires_at, reader_timezone())
                st.badge(f"until {until}", icon=":material/timer:", color="gray")
        st.caption(f"{files_counted(store)} · {size(store.usage_bytes)}")
        st.space("stretch")
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                "Open" if not is_open else "Opened",
                icon=":material/folder_open:",
                type="primary",
                key=f"open_{store.id}",
                disabled=is_open,
                on_click=_open,
                args=(store.id,),
            )
            if st.button("Edit", icon=":material/edit:", key=f"edit_{store.id}"):
                store_form(store)
            if st.button(
                "Delete", icon=":material/delete:", type="tertiary", key=f"delete_{store.id}"
            ):
                confirm_delete([store])


@dialog("Store", icon=":material/library_books:")
def store_form(store: VectorStore | None) -> None:
    """Create a store, or change the given one's name and expiry."""
    with st.form("store_form", border=False):
        name = st.text_input("Name", store.name if store else "", max_chars=NAME_LIMIT)
        days = store.expires_after.days if store and store.expires_after else None
        choices = {**EXPIRIES, **({f"{days} days": days} if days else {})}
        current = next(label for label, value in choices.items() if value == days)
        expiry = st.selectbox(
            "Forget its files when unused for",
            list(choices),
            index=list(choices).index(current),
            help="Counted from the last search or upload. The files themselves stay.",
        )
        label = "Save changes" if store else "Create store"
        submitted = st.form_submit_button(label, type="primary")
    if submitted:
        _save(store, (name or "").strip(), choices[expiry])


def upload_box(store: VectorStore) -> None:
    """Many files at once into the store."""
    with st.form(f"upload_{store.id}", clear_on_submit=True, border=False):
        files = st.file_uploader(
            "Add files",
            accept_multiple_files=True,
            key=f"files_{store.id}",
            max_upload_size=LARGEST_FILE_MB,
            help="PDF, Word, PowerPoint, Excel, CSV, HTML, Markdown, text, JSON and code.",
        )
        submitted = st.form_submit_button(
            "Put into the store", icon=":material/library_add:", type="primary"
        )
    if submitted and files:
        _upload(store, files)


def live_files(store_id: str) -> None:
    """The store's files, refreshed by themselves; often while something happens."""
    pace = LIVE if st.session_state.get(f"at_work_{store_id}", False) else CALM
    st.fragment(_files, run_every=pace)(store_id)


def try_a_search(store: VectorStore) -> None:
    """What an assistant would find, and why it ranks as it does."""
    query = st.text_input(
        "Try a search",
        key=f"query_{store.id}",
        placeholder="How long do cats sleep?",
        icon=":material/search:",
    )
    if not query:
        return
    with errors_in_words("search"):
        hits = studio_client().vector_stores.search(
            store.id, query=query, max_num_results=RESULTS_SHOWN
        )
        if not hits.data:
            st.info("Nothing in these files fits. Try other words.", icon=":material/search_off:")
        for number, hit in enumerate(hits.data, start=1):
            _hit(number, hit, query)


def users_of(store: VectorStore, assistants: list[Assistant]) -> None:
    """Which assistants search the store; one click links or unlinks."""
    names = {assistant.id: assistant.name or UNNAMED for assistant in assistants}
    linked = [one.id for one in assistants if linked_store(one) == store.id]
    key = f"users_{store.id}"
    st.session_state[key] = linked
    st.multiselect(
        "Assistants that search this store",
        list(names),
        format_func=lambda assistant_id: names.get(assistant_id, assistant_id),
        key=key,
        placeholder="Choose assistants",
        help="An assistant searches one store; choosing it here takes it off another one.",
        on_change=_link,
        args=(store.id, linked, key),
    )


def embedder_note() -> None:
    """What ranks by meaning, where it is not simply ready."""
    embedder = read_health(studio_client()).embedder
    if embedder is None or embedder.phase in ("ready", "off"):
        return
    if embedder.phase == "downloading":
        st.progress(_share(embedder), _download_words(embedder))
        return
    st.caption(f":material/info: {embedder.message}")


def _share(embedder: EmbedderState) -> float:
    return min((embedder.bytes_done or 0) / (embedder.bytes_total or 1), 1.0)


def _download_words(embedder: EmbedderState) -> str:
    if not embedder.bytes_total:
        return embedder.message
    done = megabytes(embedder.bytes_done or 0, embedder.bytes_total)
    return f"{embedder.message} {done}. Keywords find your files already."


def _hit(number: int, hit: VectorStoreSearchResponse, query: str) -> None:
    text = "\n".join(part.text for part in hit.content)
    shown = excerpt(text, query)
    with st.container(border=True):
        st.markdown(f"**{number}. {plain(hit.filename)}**")
        st.caption(why_it_ranks(hit))
        st.markdown(highlighted(shown, query))
        with st.expander("The whole passage"):
            st.markdown(highlighted(text, query))
        cited = page_of(hit, shown)
        if cited is not None and cited.page is not None and kind_of(hit.filename) == "pdf":
            _hit_page(number, hit.file_id, cited.page, cited.quotes)


def _hit_page(number: int, file_id: str, page: int, quotes: list[str]) -> None:
    # A key for each place: what was open stays open, and another search's pages begin closed.
    expander = st.expander(
        f"Page {page} of the file", key=f"page_{number}_{file_id}_{page}", on_change="rerun"
    )
    if expander.open:
        with expander:
            show_page(studio_client(), file_id, page, quotes)


def _files(store_id: str) -> None:
    with errors_in_words("files"):
        page = list_store_files(studio_client(), store_id, FILES_SHOWN)
        files = page.data
        at_work = any(is_at_work(file) for file in files)
        was_at_work = st.session_state.get(f"at_work_{store_id}", False)
        st.session_state[f"at_work_{store_id}"] = at_work
        if at_work != was_at_work:
            rerun_when_free()
        if not files:
            st.caption("No files yet: add some above.")
            return
        if at_work:
            embedder_note()
        chosen = _file_table(files, store_id)
        if page.has_more:
            st.caption(f"The newest {FILES_SHOWN} files are shown.")
        _file_actions(store_id, chosen)


def _file_table(files: list[StoreFile], store_id: str) -> list[StoreFile]:
    table = pd.DataFrame(
        {
            "File": [file.filename for file in files],
            "State": [file_words(file) for file in files],
            "Progress": [file_share(file) for file in files],
            "Size": [size(file.bytes) for file in files],
            "Passages": [file.chunk_count for file in files],
        }
    )
    event = st.dataframe(
        table,
        hide_index=True,
        height="content" if len(files) < 12 else 440,
        alt="Files of the store",
        selection_mode="multi-row",
        on_select="rerun",
        key=f"file_table_{store_id}",
        column_config={
            "File": st.column_config.TextColumn(width="medium"),
            "State": st.column_config.TextColumn(width=370),
            "Progress": st.column_config.ProgressColumn(
                width="small", min_value=0.0, max_value=1.0, format="percent"
            ),
        },
    )
    return [files[row] for row in event.selection.rows if row < len(files)]


def _file_actions(store_id: str, chosen: list[StoreFile]) -> None:
    failed = [file for file in chosen if file.status in ("failed", "cancelled")]
    with st.container(horizontal=True):
        st.button(
            "Try again",
            icon=":material/refresh:",
            disabled=not failed,
            on_click=_put_in_again,
            args=(store_id, failed),
        )
        st.button(
            "Take out of the store",
            icon=":material/remove_circle:",
            disabled=not chosen,
            on_click=_take_out,
            args=(store_id, chosen),
        )
        if len(chosen) == 1 and st.button("Show its text", icon=":material/article:"):
            _text_dialog(store_id, chosen[0])


@dialog("What was read", width="large", icon=":material/article:")
def _text_dialog(store_id: str, file: StoreFile) -> None:
    st.caption(plain(file.filename))
    with errors_in_words("text"):
        parts = studio_client().vector_stores.files.content(file.id, vector_store_id=store_id)
        text = "\n".join(part.text or "" for part in parts)
        st.code(text[:100_000] or "Nothing was read.", language=None, wrap_lines=True, height=500)


def _open(store_id: str) -> None:
    st.query_params["store"] = store_id


def _save(store: VectorStore | None, name: str, days: int | None) -> None:
    client = studio_client()
    policy = {"anchor": "last_active_at", "days": days} if days else None
    try:
        if store is None:
            made = client.vector_stores.create(
                name=name,
                expires_after=policy,  # type: ignore[arg-type]
            )
            st.query_params["store"] = made.id
        else:
            client.vector_stores.update(
                store.id,
                name=name,
                expires_after=policy,  # type: ignore[arg-type]
            )
    except openai.OpenAIError as error:
        st.error(sentence_for(error), icon=":material/error:")
        return
    verb = "saved" if store else "ready for files"
    st.session_state["knowledge_notice"] = f"{name or UNNAMED_STORE} is {verb}."
    st.rerun()


def _upload(store: VectorStore, files: list[UploadedFile]) -> None:
    """Send the files one after the other, then put all that arrived into the store at once."""
    client = studio_client()
    arrived: list[str] = []
    bar = st.progress(0.0, "Sending files")
    try:
        for number, file in enumerate(files, start=1):
            bar.progress((number - 1) / len(files), f"Sending {plain(file.name)}")
            sent = client.files.create(file=(file.name, file), purpose="assistants")
            arrived.append(sent.id)
    except openai.OpenAIError as error:
        st.session_state["knowledge_problem"] = sentence_for(error)
    try:
        if arrived:
            client.vector_stores.file_batches.create(store.id, file_ids=arrived)
    except openai.OpenAIError as error:
        st.session_state["knowledge_problem"] = sentence_for(error)
    st.session_state[f"at_work_{store.id}"] = True
    st.rerun()


def _put_in_again(store_id: str, files: list[StoreFile]) -> None:
    try:
        studio_client().vector_stores.file_batches.create(
            store_id, file_ids=[file.id for file in files]
        )
    except openai.OpenAIError as error:
        st.session_state["knowledge_problem"] = sentence_for(error)
    st.session_state[f"at_work_{store_id}"] = True


def _take_out(store_id: str, files: list[StoreFile]) -> None:
    try:
        for file in files:
            studio_client().vector_stores.files.delete(file.id, vector_store_id=store_id)
    except openai.OpenAIError as error:
        st.session_state["knowledge_problem"] = sentence_for(error)


def _link(store_id: str, before: list[str], key: str) -> None:
    chosen = set(st.session_state[key])
    try:
        for assistant_id in chosen - set(before):
            link_store(studio_client(), assistant_id, store_id)
        for assistant_id in set(before) - chosen:
            link_store(studio_client(), assistant_id, None)
    except openai.OpenAIError as error:
        st.session_state["knowledge_problem"] = sentence_for(error)
