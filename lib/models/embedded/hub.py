"""Child process: one question to the Hugging Face hub, or one download from it.

    python -m lib.models.embedded.hub describe OWNER/REPOSITORY FILE
    python -m lib.models.embedded.hub fetch OWNER/REPOSITORY FILE FOLDER

Prints one JSON object: `{"size": bytes, "sha256": hex or null}`, `{"path": file}`, or
`{"error": "unreachable" | "refused" | "missing" | "disk"}`. A process of its own, because a
download in a thread could not be stopped.
"""

import errno
import json
import os
import re
import sys
from typing import Any

# Read by huggingface_hub when it is imported. Plain HTTP keeps a half-fetched file to go on from.
os.environ["HF_HUB_DISABLE_XET"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ.setdefault("HF_HUB_DOWNLOAD_TIMEOUT", "15")

from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)

from lib.models.embedded.lifeline import die_with_parent

ANSWER_TIMEOUT = 5.0


def describe(repository: str, filename: str) -> dict[str, Any]:
    url = hf_hub_url(repository, filename)
    found = get_hf_file_metadata(url, timeout=ANSWER_TIMEOUT)
    digest = found.etag if found.etag and re.fullmatch(r"[0-9a-f]{64}", found.etag) else None
    return {"size": found.size, "sha256": digest}


def fetch(repository: str, filename: str, folder: str) -> dict[str, Any]:
    path = hf_hub_download(repository, filename, local_dir=folder, etag_timeout=ANSWER_TIMEOUT)
    return {"path": str(path)}


def main(arguments: list[str]) -> dict[str, Any]:
    command, *rest = arguments
    try:
        return describe(*rest) if command == "describe" else fetch(*rest)
    except (GatedRepoError, LocalEntryNotFoundError) as error:
        return {"error": "refused" if isinstance(error, GatedRepoError) else "unreachable"}
    except (EntryNotFoundError, RepositoryNotFoundError):
        return {"error": "missing"}
    except OSError as error:
        return {"error": "disk" if error.errno == errno.ENOSPC else "unreachable"}
    except Exception:
        # Whatever else the hub's library raises without a route; it has no common base class.
        return {"error": "unreachable"}


if __name__ == "__main__":
    die_with_parent()
    print(json.dumps(main(sys.argv[1:])), flush=True)
