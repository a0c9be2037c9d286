"""Choosing stores and deleting them, one or several at once; their files stay."""

from collections.abc import Sequence
from contextlib import suppress

import openai
import streamlit as st
from openai.types import VectorStore

from lib.dashboard.client import studio_client
from lib.dashboard.dialogs import dialog
from lib.dashboard.errors import sentence_for
from lib.dashboard.file_words import store_name
from lib.dashboard.formatting import shortened
from lib.dashboard.labels import plain

NAMES_SHOWN = 8
NAME_SHOWN = 60


def choice_box(store: VectorStore) -> None:
    """A box on a store's card that chooses it."""
    st.checkbox(
        f"Choose {plain(shortened(store_name(store), NAME_SHOWN))}",
        key=_key(store),
        label_visibility="collapsed",
        width="content",
    )


def bulk_actions(stores: Sequence[VectorStore]) -> None:
    """What can be done with several stores at once; nothing where there is but one."""
    if len(stores) < 2:
        return
    chosen = [store for store in stores if st.session_state.get(_key(store))]
    has_all = len(chosen) == len(stores)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Choose none" if has_all else "Choose all",
            icon=":material/deselect:" if has_all else ":material/select_all:",
            key="choose_stores",
            on_click=_choose,
            args=(stores, not has_all),
        )
        if st.button(
            f"Delete {counted(len(chosen))}" if chosen else "Delete the chosen stores",
            icon=":material/delete:",
            key="delete_stores",
            disabled=not chosen,
        ):
            confirm_delete(chosen)


@dialog("Delete for good?", icon=":material/delete:")
def confirm_delete(stores: Sequence[VectorStore]) -> None:
    """Ask before stores are deleted for good."""
    st.markdown(_warning(stores))
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Keep it" if len(stores) == 1 else "Keep them"):
            st.rerun()
        if st.button(
            "Delete",
            type="primary",
            icon=":material/delete:",
            key="delete_for_good",
            on_click=_delete,
            args=(stores,),
        ):
            st.rerun()


def counted(stores: int) -> str:
    """`1 store` or `3 stores`."""
    return "1 store" if stores == 1 else f"{stores} stores"


def _warning(stores: Sequence[VectorStore]) -> str:
    names = [f"**{plain(store_name(store))}**" for store in stores[:NAMES_SHOWN]]
    if len(stores) > NAMES_SHOWN:
        names.append(f"{len(stores) - NAMES_SHOWN} more")
    shown = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    use, it, files = ("use it", "it", "Its") if len(stores) == 1 else ("use them", "them", "Their")
    return (
        f"{shown} will be gone for good, and the assistants and threads that {use} will search "
        f"{it} no more. {files} files stay, and can be put into another store."
    )


def _choose(stores: Sequence[VectorStore], is_chosen: bool) -> None:
    for store in stores:
        st.session_state[_key(store)] = is_chosen


def _delete(stores: Sequence[VectorStore]) -> None:
    client = studio_client()
    try:
        for store in stores:
            # Somebody else may have been quicker.
            with suppress(openai.NotFoundError):
                client.vector_stores.delete(store.id)
    except openai.OpenAIError as error:
        st.session_state["knowledge_problem"] = sentence_for(error)
    else:
        gone = store_name(stores[0]) if len(stores) == 1 else counted(len(stores))
        verb = "was" if len(stores) == 1 else "were"
        st.session_state["knowledge_notice"] = f"{gone} {verb} deleted."
    st.query_params.pop("store", None)


def _key(store: VectorStore) -> str:
    return f"choose_{store.id}"
