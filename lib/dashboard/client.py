"""How pages reach the product: the openai SDK over HTTP, as any other client does."""

import os

import streamlit as st
from openai import OpenAI

from lib.settings import Settings, load_settings

KEY_WHEN_NONE_IS_ASKED_FOR = "no-key-needed"
ANY_ADDRESS = ("", "0.0.0.0", "::", "localhost")


@st.cache_resource(max_entries=1)
def studio_settings() -> Settings:
    """The settings this process runs with."""
    return load_settings()


def address_of(client: OpenAI) -> str:
    """The server a client speaks to, which tells what is remembered of one from another's."""
    return str(client.base_url)


def api_url() -> str:
    """Where this very server answers; STUDIO_API_URL points the pages at another one."""
    elsewhere = os.environ.get("STUDIO_API_URL")
    if elsewhere:
        return elsewhere.rstrip("/")
    address = str(st.get_option("server.address") or "")
    host = "127.0.0.1" if address in ANY_ADDRESS else address
    return f"http://{host}:{st.get_option('server.port')}/v1"


def studio_client() -> OpenAI:
    """The SDK's client for this server, one for all sessions."""
    keys = studio_settings().accepted_keys
    return _client(api_url(), keys[0] if keys else KEY_WHEN_NONE_IS_ASKED_FOR)


@st.cache_resource(max_entries=4)
def _client(base_url: str, api_key: str) -> OpenAI:
    return OpenAI(base_url=base_url, api_key=api_key, max_retries=1, timeout=30)
