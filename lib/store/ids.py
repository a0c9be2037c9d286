"""Identifiers with the prefixes the hosted API used."""

import secrets
import string
from typing import Literal

Prefix = Literal["asst_", "thread_", "msg_", "run_", "step_", "call_", "file-", "vs_", "vsfb_"]

_ALPHABET = string.ascii_letters + string.digits
_LENGTH = 24


def new_id(prefix: Prefix) -> str:
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
