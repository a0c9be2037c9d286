"""The sandbox's first process: gives up root, then becomes the zygote."""

import json
import os
import sys
from pathlib import Path

from lib.tools.code_interpreter.sandbox import bubblewrap, zygote
from lib.tools.code_interpreter.sandbox.privileges import (
    CannotDropRootError,
    become_unprivileged,
)

EXIT_CANNOT_DROP_ROOT = 3


def main() -> None:
    """Arguments: a JSON `zygote.Config`. Replaces itself by the zygote, in a bubble if it can."""
    config = zygote.Config.from_json(sys.argv[1])
    product = Path(__file__).parents[3]
    try:
        become_unprivileged([*config.readable, product, config.files])
    except CannotDropRootError as problem:
        sys.stderr.write(str(problem))
        sys.exit(EXIT_CANNOT_DROP_ROOT)
    command = [*zygote.python_running("zygote"), json.dumps(config.as_json())]
    if config.bwrap:
        command = bubblewrap.zygote_bubble(config.bwrap, config.files, command)
    os.execv(command[0], command)
