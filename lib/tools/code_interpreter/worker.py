"""The Python session inside the sandbox: runs cells one by one and keeps their variables.

Printed text goes to file descriptor 1, which the host reads as it comes. Everything else goes
through the channel: frames of a 4-byte length and JSON. The host believes none of it.
"""

import ast
import asyncio
import inspect
import io
import json
import linecache
import os
import pprint
import random
import re
import signal
import socket
import struct
import sys
import threading
import traceback
import types
import warnings
from typing import Any

DATA = "/mnt/data"
_DATA_PATH = re.compile(r"(?<![\w.-])/mnt/data(?![\w.-])")
_WIDTH = 120


def serve(channel: socket.socket) -> None:
    """Run cells from the channel until the host closes it. Never returns to the caller."""
    _prepare_libraries()
    session = Session(channel)
    signal.signal(signal.SIGINT, session.on_interrupt)
    own_pid = os.getpid()
    while request := _receive(channel):
        outcome = session.run(request["code"], request["data"])
        if os.getpid() != own_pid:
            # The cell forked and its child came back here: it must not answer as well.
            os._exit(0)
        _send(channel, {"type": "done", "cell": request["cell"], **outcome})
    os._exit(0)


def _receive(channel: socket.socket) -> dict[str, Any] | None:
    header = _read_exactly(channel, 4)
    if header is None:
        return None
    body = _read_exactly(channel, struct.unpack("!I", header)[0])
    return None if body is None else json.loads(body)


def _read_exactly(channel: socket.socket, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        chunk = channel.recv(size - len(data))
        if not chunk:
            return None
        data += chunk
    return bytes(data)


def _send(channel: socket.socket, message: dict[str, Any], payload: bytes = b"") -> None:
    body = json.dumps(message).encode()
    channel.sendall(struct.pack("!I", len(body)) + body + payload)


def _prepare_libraries() -> None:
    """Make what was imported before the fork behave as in a session of its own."""
    import numpy as np
    import pandas as pd
    from matplotlib import pyplot as plt

    random.seed()
    np.random.seed()
    plt.switch_backend("Agg")
    pd.set_option("display.width", _WIDTH)
    pd.set_option("display.max_columns", 30)
    pd.set_option("display.max_rows", 60)
    pd.set_option("display.min_rows", 20)
    pd.set_option("display.max_colwidth", 80)


def warm_up() -> None:
    """Do once before any fork what the libraries put off until their first use."""
    import numpy as np
    import pandas as pd
    from matplotlib import pyplot as plt

    frame = pd.DataFrame({"a": np.arange(3.0), "b": list("xyz")})
    repr(frame.describe())
    frame.to_csv(io.StringIO())
    pd.read_csv(io.StringIO("a,b\n1,x\n"))
    plt.plot(frame["a"])
    plt.title("fonts")
    plt.savefig(io.BytesIO(), format="png", bbox_inches="tight")
    plt.close("all")


class _Output(io.TextIOWrapper):
    """Standard output and error, by lines, so that text is seen while it is printed."""

    real_data = DATA

    def __init__(self) -> None:
        raw = io.FileIO(1, "w", closefd=False)
        super().__init__(
            io.BufferedWriter(raw), encoding="utf-8", errors="replace", line_buffering=True
        )

    def write(self, text: str) -> int:
        shown = text if self.real_data == DATA else text.replace(self.real_data, DATA)
        super().write(shown)
        return len(text)


class Session:
    """One user's variables, and how a cell of theirs is run and shown."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._talking = threading.Lock()
        self._own_pid = os.getpid()
        self._running = False
        self._uninterruptible = False
        self._interrupted = False
        self._cells = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._output = sys.stdout = sys.stderr = _Output()
        main = types.ModuleType("__main__")
        main.__dict__["__builtins__"] = __builtins__
        sys.modules["__main__"] = main
        self._variables = main.__dict__
        self._show_figures_when_asked()

    def on_interrupt(self, _signal: int, _frame: types.FrameType | None) -> None:
        if self._uninterruptible:
            self._interrupted = True
        elif self._running:
            raise KeyboardInterrupt

    def run(self, code: str, real_data: str) -> dict[str, Any]:
        """Run a cell: `{"ok": bool, "error": str | None}`, the error being its last line."""
        self._cells += 1
        self._output.real_data = real_data
        name = f"<cell {self._cells}>"
        linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
        try:
            self._running = True
            self._execute(code, name)
            self._send_open_figures()
            error = None
        except BaseException as problem:
            self._running = False
            error = self._report(problem)
        finally:
            self._running = False
        self._flush()
        return {"ok": error is None, "error": error}

    def _execute(self, code: str, name: str) -> None:
        tree = ast.parse(code, name)
        if self._output.real_data != DATA:
            tree = ast.fix_missing_locations(_DataPaths(self._output.real_data).visit(tree))
        last = tree.body[-1] if tree.body else None
        if not isinstance(last, ast.Expr):
            self._evaluate(tree, name)
            return
        del tree.body[-1]
        self._evaluate(tree, name)
        value = self._evaluate(ast.Expression(last.value), name)
        if not code.rstrip().endswith(";"):
            self._show(value)

    def _evaluate(self, tree: ast.Module | ast.Expression, name: str) -> Any:
        mode = "exec" if isinstance(tree, ast.Module) else "eval"
        code = compile(tree, name, mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        result = eval(code, self._variables)
        if not code.co_flags & inspect.CO_COROUTINE:
            return result
        self._loop = self._loop or asyncio.new_event_loop()
        return self._loop.run_until_complete(result)

    def _show(self, value: Any) -> None:
        if value is None:
            return
        self._variables["_"] = value
        if not self._show_as_image(value):
            sys.stdout.write(_readable(value) + "\n")

    def _show_as_image(self, value: Any) -> bool:
        from matplotlib import pyplot as plt
        from matplotlib.figure import Figure

        if isinstance(value, Figure):
            # One that pyplot knows is shown with the other open figures.
            if getattr(value, "number", None) not in plt.get_fignums():
                self._send_figure(value)
            return True
        as_png = getattr(type(value), "_repr_png_", None)
        png = as_png(value) if callable(as_png) else None
        if not isinstance(png, bytes):
            return False
        self._send_image(png)
        return True

    def _show_figures_when_asked(self) -> None:
        from matplotlib import pyplot as plt

        def show(*_arguments: object, **_options: object) -> None:
            self._send_open_figures()

        plt.show = show

    def _send_open_figures(self) -> None:
        from matplotlib import pyplot as plt

        try:
            for number in plt.get_fignums():
                self._send_figure(plt.figure(number))
        finally:
            plt.close("all")

    def _send_figure(self, figure: Any) -> None:
        image = io.BytesIO()
        with warnings.catch_warnings():
            # Missing glyphs warn on every save; the picture says it already.
            warnings.simplefilter("ignore", UserWarning)
            figure.savefig(image, format="png", bbox_inches="tight")
        self._send_image(image.getvalue())

    def _send_image(self, png: bytes) -> None:
        if os.getpid() != self._own_pid:
            return
        self._flush()
        self._uninterruptible, self._interrupted = True, False
        try:
            with self._talking:
                _send(self._channel, {"type": "image", "size": len(png)}, png)
                _receive(self._channel)
        finally:
            self._uninterruptible = False
        if self._interrupted:
            raise KeyboardInterrupt

    def _report(self, problem: BaseException) -> str:
        """Print a short traceback; the last line of it is returned."""
        try:
            text = _short_traceback(problem)
        except BaseException:
            text = type(problem).__name__
        try:
            sys.stdout.write(text.rstrip() + "\n")
        except BaseException:
            os.write(1, b"The error could not be printed.\n")
        self._drop_figures()
        return text.rstrip().rsplit("\n", 1)[-1][:500]

    def _drop_figures(self) -> None:
        from matplotlib import pyplot as plt

        plt.close("all")

    def _flush(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except BaseException:
                sys.stdout = sys.stderr = self._output


class _DataPaths(ast.NodeTransformer):
    """Puts the directory's real path into literals, where nothing can be mounted at /mnt/data."""

    def __init__(self, real_data: str) -> None:
        self._real_data = real_data

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        if isinstance(node.value, str):
            node.value = _DATA_PATH.sub(lambda _match: self._real_data, node.value)
        return node


def _readable(value: Any) -> str:
    text = repr(value)
    if type(value) not in (dict, list, tuple, set, frozenset) or len(text) <= _WIDTH:
        return text
    if len(text) > 100_000:
        # The pretty printer is slow, and nobody reads that much.
        return text
    return pprint.pformat(value, width=_WIDTH, compact=True, sort_dicts=False)


def _short_traceback(problem: BaseException) -> str:
    """The user's own frames only, with their source lines, for the error and its causes."""
    if isinstance(problem, SystemExit):
        return f"SystemExit: {problem.code}"
    if isinstance(problem, SyntaxError):
        problem.__traceback__ = None
    report = traceback.TracebackException.from_exception(problem)
    _keep_own_frames(report, set())
    return "".join(report.format())


def _keep_own_frames(report: traceback.TracebackException, seen: set[int]) -> None:
    """Also cuts off causes that lie in libraries alone: they tell how the library works."""
    seen.add(id(report))
    report.stack = traceback.StackSummary.from_list(_own_frames(report))
    for link in ("__cause__", "__context__"):
        linked = getattr(report, link)
        if linked is None or id(linked) in seen:
            continue
        if _own_frames(linked):
            _keep_own_frames(linked, seen)
        else:
            setattr(report, link, None)
    for member in report.exceptions or []:
        _keep_own_frames(member, seen)


def _own_frames(report: traceback.TracebackException) -> list[traceback.FrameSummary]:
    return [frame for frame in report.stack if frame.filename.startswith("<cell ")]
