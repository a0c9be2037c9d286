"""Runs one function of a user's file. A program of its own: `python -I child.py`.

It reads `{"file", "name", "arguments"}` from its standard input and writes `{"output"}` or
`{"error"}` to its standard output; whatever the function prints goes to standard error instead.
"""

import asyncio
import importlib.util
import inspect
import json
import os
import sys
from pathlib import Path
from typing import Any

LONGEST_OUTPUT = 1_000_000


def main() -> None:
    answer_to = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")
    os.dup2(2, 1)
    request = json.load(sys.stdin)
    try:
        result = {"output": _call(Path(request["file"]), request["name"], request["arguments"])}
    except BaseException as error:
        # SystemExit and KeyboardInterrupt of the function must not end the run either.
        result = {"error": f"{type(error).__name__}: {error}"[:LONGEST_OUTPUT]}
    json.dump(result, answer_to)
    answer_to.close()


def _call(file: Path, name: str, arguments: dict[str, Any]) -> str:
    from pydantic import validate_call

    sys.path.insert(0, str(file.parent))
    function = getattr(_load(file), name)
    result = validate_call(function)(**arguments)
    if inspect.isawaitable(result):
        result = asyncio.run(_awaited(result))
    return _as_text(result)[:LONGEST_OUTPUT]


def _load(file: Path) -> Any:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file.name} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


async def _awaited(result: Any) -> Any:
    return await result


def _as_text(result: Any) -> str:
    from pydantic_core import to_json

    if isinstance(result, str):
        return result
    return to_json(result, fallback=str).decode()


if __name__ == "__main__":
    main()
