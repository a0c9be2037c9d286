"""Keeps the embedded model available: fetched, checked, started, and restarted when it crashes."""

import asyncio
import contextlib
import time
from pathlib import Path

from lib.models.embedded.catalogue import UnknownWeightsError, Weights, find_weights
from lib.models.embedded.process import ServerFailedError, ServerProcess
from lib.models.embedded.state import EmbeddedState, Report
from lib.models.embedded.weights import PreparationError, WeightsStore
from lib.models.provider import ModelError

RESTART_PAUSES = (0.2, 1.0, 2.0, 5.0)
"""Seconds before each restart; one more crash within CRASH_WINDOW is a failure."""
CRASH_WINDOW = 300.0
_NOTICE_PATIENCE = 2.0
RETRY_PAUSES = (30.0, 60.0, 120.0, 300.0)
"""Seconds until preparation is tried again after each failure; the last is kept."""


class Supervisor:
    """Owns the model server's life. Everything runs in one background task."""

    def __init__(self, choice: str, data_dir: Path, on_change: Report) -> None:
        self.state = EmbeddedState()
        self._choice = choice
        self._on_change = on_change
        self._store = WeightsStore(data_dir / "models", self._set)
        self._server: ServerProcess | None = None
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._retry = asyncio.Event()

    @property
    def model_name(self) -> str:
        """The name the model answers under."""
        try:
            found = find_weights(self._choice)
        except UnknownWeightsError:
            return self._choice
        return found.name if isinstance(found, Weights) else found.stem

    def start(self) -> None:
        """Begin in the background; a second call changes nothing."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep_available())

    def retry(self) -> None:
        """Try again now instead of after the pause that follows a failure."""
        self._retry.set()

    async def server(self) -> ServerProcess:
        """The server, once it is ready. Raises ModelError when it cannot be made ready."""
        while self.state.phase != "ready" or self._server is None:
            if self.state.phase == "failed":
                raise ModelError("server_error", self.state.message)
            await self._changed.wait()
        return self._server

    async def restarting(self) -> bool:
        """True when the server is gone, or ends within moments, so that another will come."""
        if self._server is not None and self.state.phase == "ready":
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_NOTICE_PATIENCE):
                    await self._changed.wait()
        return self.state.phase == "starting"

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self.state = EmbeddedState("failed", "The embedded model has been stopped.")
        self._changed.set()

    async def _keep_available(self) -> None:
        failures = 0
        while True:
            try:
                path = await self._store.prepare(self._choice)
                await self._serve(path)
            except (PreparationError, UnknownWeightsError) as error:
                self._fail(str(error))
            except Exception as error:
                # A fault of ours must show as a state, not as a task that silently ended.
                self._fail(f"The embedded model met an unexpected {type(error).__name__}.")
            await self._pause(RETRY_PAUSES[min(failures, len(RETRY_PAUSES) - 1)])
            failures += 1

    async def _serve(self, path: Path) -> None:
        """Run servers one after the other until they crash too often, which raises."""
        crashes: list[float] = []
        while True:
            await self._run_once(path)
            now = time.monotonic()
            crashes = [at for at in crashes if now - at < CRASH_WINDOW]
            if len(crashes) == len(RESTART_PAUSES):
                raise PreparationError(
                    f"The model {self.model_name} crashed {len(crashes) + 1} times in a row and "
                    "was not started again. This machine may have too little memory for it: "
                    "close other programs or set EMBEDDED_MODEL=smollm2-135m."
                )
            text = f"The model {self.model_name} stopped unexpectedly and is being restarted."
            self._set(EmbeddedState("starting", text))
            await asyncio.sleep(RESTART_PAUSES[len(crashes)])
            crashes.append(now)

    async def _run_once(self, path: Path) -> None:
        """Serve until the process is gone."""
        self._set(EmbeddedState("starting", f"Loading {self.model_name} into memory."))
        try:
            server = await ServerProcess.launch(path, self.model_name)
        except ServerFailedError as error:
            raise self._load_failure(path, error) from None
        try:
            self._server = server
            self._set(EmbeddedState("ready", f"The model {self.model_name} is ready."))
            await server.ended()
        finally:
            self._server = None
            await server.stop()

    def _load_failure(self, path: Path, error: ServerFailedError) -> PreparationError:
        if self._store.forget_check(self._choice):
            # The file may have rotted since it was checked: the retry checks it again.
            self._retry.set()
        return PreparationError(
            f"The model {self.model_name} could not be started from {path}: {error}. "
            "It may be damaged, of an unsupported kind, or too large for this machine's memory."
        )

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._retry.wait()
        self._retry.clear()

    def _fail(self, message: str) -> None:
        self._set(EmbeddedState("failed", message))

    def _set(self, state: EmbeddedState) -> None:
        self.state = state
        self._on_change(state)
        self._changed.set()
        self._changed = asyncio.Event()
