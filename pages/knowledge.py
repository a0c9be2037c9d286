"""Knowledge: stores of files, what was read of them, a search to try, who uses them."""

import streamlit as st

from lib.dashboard.client import studio_client
from lib.dashboard.conversation import assistants_to_choose_from
from lib.dashboard.file_words import store_name
from lib.dashboard.knowledge_view import (
    chosen_store,
    live_files,
    newest_stores,
    no_stores_yet,
    store_card,
    store_form,
    try_a_search,
    upload_box,
    users_of,
)
from lib.dashboard.labels import heading
from lib.dashboard.notices import show_notices
from lib.dashboard.store_deletion import bulk_actions

st.set_page_config(page_title="Knowledge · Assistants Studio", layout="wide")
client = studio_client()
stores = newest_stores(client)
store = chosen_store(stores)

with st.container(horizontal=True, vertical_alignment="bottom"):
    with st.container():
        st.title("Knowledge")
        st.caption("Files that assistants search, kept in stores.")
    if stores and st.button("New store", icon=":material/add:", type="primary"):
        store_form(None)

show_notices("knowledge")

if store is None:
    no_stores_yet()
    st.stop()

bulk_actions(stores)
with st.grid(3, min_column_width=300):
    for one in stores:
        store_card(one, is_open=one.id == store.id)

st.subheader(heading(store_name(store), 80), anchor=False)
adding, using = st.columns(2, gap="large")
with adding:
    upload_box(store)
with using:
    users_of(store, assistants_to_choose_from(client))
    st.caption("The store's id, for your own code")
    st.code(store.id, language=None)
live_files(store.id)
try_a_search(store)
