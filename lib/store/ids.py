"""Identifiers with the prefixes the hosted API used."""

import secrets
import string
from typing import Literal

Prefix = Literal[
    "asst_", "thread_", "msg_", "run_", "step_", "call_", "file-", "vs_", "vsfb_", "pbatch_"
]

_ALPHABET = string.ascii_letters + string.digits
_LENGTH = 24


def new_id(prefix: Prefix) -> str:
    # One call for all letters: `secrets.choice` asks the system for each. That some letters come a
    # little oftener costs less than one of the 140 bits.
    letters = (_ALPHABET[byte % len(_ALPHABET)] for byte in secrets.token_bytes(_LENGTH))
    return prefix + "".join(letters)
