"""The process that forks another for each file it is told to parse.

`python -m lib.tools.file_search.parsing.forking_child`, as `child_process.ForkingChild` runs it:
each line of its input is a JSON list of a path and an extension.
"""

import json
import os
import sys
from pathlib import Path

from lib.tools.file_search.parsing.child import answer_and_exit


def main() -> None:
    for line in sys.stdin:
        path, extension = json.loads(line)
        parser = os.fork()
        if parser == 0:
            _close_input()
            answer_and_exit(Path(path), extension)
        _, status = os.waitpid(parser, 0)
        os.write(1, f"\n{os.waitstatus_to_exitcode(status)}\n".encode())


def _close_input() -> None:
    """What else is to be parsed is none of a parser's business."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)


if __name__ == "__main__":
    main()
