"""Child process: llama.cpp's own OpenAI-compatible server over one GGUF file.

    python -m lib.models.embedded.server FILE NAME

Reads the API key from the first line of its input, then prints one JSON object:
`{"url": address on the loopback}` once the model answers, or `{"error": sentence}`.
It ends when its input does.
"""

import json
import os
import sys
import threading

import xllamacpp  # type: ignore[import-untyped]

from lib.models.embedded.lifeline import die_with_parent

CONTEXT_WINDOW = 8192
"""Tokens one request can hold, prompt and answer together."""
SLOTS = 4
"""Requests answered at once; more wait their turn."""
_KEPT_PROMPTS_MIB = 512
_QUIET = -1


def parameters(path: str, name: str, key: str) -> xllamacpp.CommonParams:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    params = xllamacpp.CommonParams()
    params.model.path = path
    params.model_alias = {name}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key]
    params.n_parallel = SLOTS
    params.n_ctx = SLOTS * CONTEXT_WINDOW
    params.cache_ram_mib = _KEPT_PROMPTS_MIB
    params.fit_params = False
    params.ui = False
    params.verbosity = _QUIET
    for threads in (params.cpuparams, params.cpuparams_batch):
        threads.n_threads = cores or 1
    return params


def main(path: str, name: str) -> None:
    key = sys.stdin.readline().strip()
    die_with_parent()
    try:
        server = xllamacpp.Server(parameters(path, name, key))
    except RuntimeError:
        print(json.dumps({"error": "llama.cpp cannot load this file"}), flush=True)
        sys.exit(1)
    print(json.dumps({"url": server.listening_address}), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
