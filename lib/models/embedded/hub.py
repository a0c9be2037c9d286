"""Child process: one question to the Hugging Face hub, or one download from it.

    python -m lib.models.embedded.hub describe OWNER/REPOSITORY FILE
    python -m lib.models.embedded.hub fetch OWNER/REPOSITORY FILE TARGET

Prints one JSON object: `{"size": bytes, "sha256": hex or null}`, `{"path": file}`, or
`{"error": "unreachable" | "refused" | "missing" | "disk"}`. A process of its own, because a
download in a thread could not be stopped.
"""

import errno
import json
import os
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

# Read by huggingface_hub when it is imported.
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ.setdefault("HF_HUB_DOWNLOAD_TIMEOUT", "15")

from huggingface_hub import get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

from lib.models.embedded.lifeline import die_with_parent

ANSWER_TIMEOUT = 5.0
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def describe(repository: str, filename: str) -> dict[str, Any]:
    url = hf_hub_url(repository, filename)
    found = get_hf_file_metadata(url, timeout=ANSWER_TIMEOUT)
    digest = found.etag if found.etag and re.fullmatch(r"[0-9a-f]{64}", found.etag) else None
    return {"size": found.size, "sha256": digest}


def fetch(repository: str, filename: str, target: str) -> dict[str, Any]:
    """Append what is missing to the target. hf_hub_download would begin anew each time."""
    url = hf_hub_url(repository, filename)
    found = get_hf_file_metadata(url, timeout=ANSWER_TIMEOUT)
    headers = build_hf_headers()
    if urlsplit(found.location).netloc != urlsplit(url).netloc:
        headers.pop("authorization", None)
    with Path(target).open("ab") as file:
        if found.size is not None and file.tell() > found.size:
            file.truncate(0)
        http_get(
            found.location,
            file,
            resume_size=file.seek(0, os.SEEK_END),
            headers=headers,
            expected_size=found.size,
        )
    return {"path": target}


def main(arguments: list[str]) -> dict[str, Any]:
    command, *rest = arguments
    try:
        return describe(*rest) if command == "describe" else fetch(*rest)
    except (GatedRepoError, LocalEntryNotFoundError) as error:
        return {"error": "refused" if isinstance(error, GatedRepoError) else "unreachable"}
    except (EntryNotFoundError, RepositoryNotFoundError):
        return {"error": "missing"}
    except OSError as error:
        return {"error": "disk" if error.errno in _NO_ROOM else "unreachable"}
    except Exception:
        # Whatever else the hub's library raises without a route; it has no common base class.
        return {"error": "unreachable"}


if __name__ == "__main__":
    die_with_parent()
    print(json.dumps(main(sys.argv[1:])), flush=True)
