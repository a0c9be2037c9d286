"""Files of the API as pages need them: their names, and as much of their content as is shown."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import openai
import streamlit as st
from openai import OpenAI

from lib.dashboard.client import address_of

_CHUNK = 64 * 1024
_REMEMBER_SECONDS = 60
_BY_ADDRESS: dict[str | type[Any], Callable[[Any], str]] = {OpenAI: address_of}


@dataclass(frozen=True)
class StoredFile:
    """What is known of a file without reading it."""

    id: str
    name: str
    size: int
    """Bytes."""


def stored_file(client: OpenAI, file_id: str) -> StoredFile | None:
    """The file; None when it was deleted."""
    try:
        return _facts(client, file_id)
    except openai.NotFoundError:
        return None


def whole_content(client: OpenAI, file_id: str) -> bytes:
    """Everything in the file, for a download."""
    return client.files.content(file_id).read()


def beginning(client: OpenAI, file: StoredFile, limit: int) -> bytes:
    """The first `limit` bytes of the file; the rest is not fetched."""
    return _beginning(client, file.id, limit)


# Content never changes under an id; a deleted file may be shown a little longer.
@st.cache_data(max_entries=1_000, ttl=_REMEMBER_SECONDS, show_spinner=False, hash_funcs=_BY_ADDRESS)
def _facts(client: OpenAI, file_id: str) -> StoredFile:
    found = client.files.retrieve(file_id)
    return StoredFile(found.id, found.filename, found.bytes)


@st.cache_data(max_entries=30, ttl=_REMEMBER_SECONDS, show_spinner=False, hash_funcs=_BY_ADDRESS)
def _beginning(client: OpenAI, file_id: str, limit: int) -> bytes:
    read = bytearray()
    with client.files.with_streaming_response.content(file_id) as response:
        for chunk in response.iter_bytes(_CHUNK):
            read += chunk
            if len(read) >= limit:
                break
    return bytes(read[:limit])
