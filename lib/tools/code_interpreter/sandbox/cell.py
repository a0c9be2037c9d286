"""One run of code in a box: what comes out of it, and the limits it is held to."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from signal import Signals

from lib.tools.code_interpreter import output_files
from lib.tools.code_interpreter.channel import Channel, DoneMessage, ProtocolError
from lib.tools.code_interpreter.events import Image, LogText, OutputFile
from lib.tools.code_interpreter.limits import Limits
from lib.tools.code_interpreter.output_stream import OutputStream
from lib.tools.code_interpreter.sandbox.protocol import Ended, SandboxEvent
from lib.tools.code_interpreter.sandbox.zygote_client import Box, ZygoteClient
from lib.tools.code_interpreter.watchdog import DiskVerdict, UnlinkedFiles, Watchdog

_LOOK_EVERY = 0.05
_PATIENCE = 2.0
"""Seconds that interrupted code has before it is killed."""
_EVENTS_AHEAD = 64
_PAUSE_WHEN_DROPPING = 0.001
"""Seconds between reads of output that is dropped: it must not keep the host busy."""
_MOST_READS_AT_END = 8


@dataclass(slots=True)
class Places:
    """Where a box's files are on the host."""

    data: Path
    """Its /mnt/data."""
    scratch: Path
    """Its temporary directories, gone when it closes."""
    collected: Path
    """Copies of its outputs."""
    shown_data: str | None
    """The path by which code inside reaches `data`; None when it is the host's own."""


class Cell:
    """Goes on to its end whether or not somebody listens to its events."""

    def __init__(
        self,
        client: ZygoteClient,
        box: Box,
        limits: Limits,
        places: Places,
        unlinked: UnlinkedFiles,
        wall_seconds: float,
    ) -> None:
        self.events: asyncio.Queue[SandboxEvent] = asyncio.Queue(_EVENTS_AHEAD)
        self.broke_disk_limits = False
        self.before: output_files.Snapshot = {}
        """What was there when the cell began."""
        self.files: list[OutputFile] = []
        self.problems: list[str] = []
        self._client = client
        self._box = box
        self._limits = limits
        self._places = places
        self._unlinked = unlinked
        self._wall_seconds = wall_seconds
        self._listening = True
        self._reading = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._interrupted: str | None = None
        self._kill_at = float("inf")
        self._verdict: str | None = None
        self._images = 0

    def start(self, channel: Channel, output: OutputStream, number: int, code: str) -> None:
        self._task = asyncio.create_task(self._run(channel, output, number, code))

    def interrupt(self, reason: str) -> None:
        """Ask the code to stop; it is killed when it does not."""
        if self._interrupted is None:
            self._interrupted = reason
            self._kill_at = asyncio.get_running_loop().time() + _PATIENCE
            self._client.signal(self._box, "interrupt")

    def abandon(self) -> None:
        """Nobody listens any more: stop the code and drop what it still says."""
        if not self._task or self._task.done():
            return
        self._listening = False
        while not self.events.empty():
            self.events.get_nowait()
        self.interrupt("stopped: nobody waited for it any more")

    async def finished(self) -> None:
        if self._task:
            await asyncio.wait({self._task})

    async def _emit(self, event: SandboxEvent) -> None:
        if self._listening:
            await self.events.put(event)

    async def _run(self, channel: Channel, output: OutputStream, number: int, code: str) -> None:
        output.begin_cell()
        watchdog = await asyncio.to_thread(self._look_before)
        guard = asyncio.create_task(self._guard(watchdog))
        self._client.signal(self._box, "resume")
        talk = asyncio.create_task(self._talk(channel, output, number, code))
        try:
            await self._forward_while(talk, output)
            # The answer need not wait for it; the next cell does.
            freezing = asyncio.create_task(self._client.freeze(self._box))
            await self._forward_rest(output)
            await self._look_after(watchdog)
        finally:
            guard.cancel()
        await self._emit_end(talk)
        await freezing

    def _look_before(self) -> Watchdog:
        self.before = output_files.snapshot(self._places.data)
        directories = [self._places.data, self._places.scratch]
        return Watchdog(
            self._limits, lambda: self._client.processes(self._box), directories, self._unlinked
        )

    async def _guard(self, watchdog: Watchdog) -> None:
        """Interrupt at the deadline; kill what does not stop, or breaks another limit."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._wall_seconds
        while self._verdict is None:
            await asyncio.sleep(_LOOK_EVERY)
            await self._judge(watchdog)
            if loop.time() >= deadline:
                self.interrupt(f"stopped after {self._wall_seconds:g} seconds")
            if loop.time() >= self._kill_at:
                self._kill(f"{self._interrupted}, and it did not heed the interrupt")

    async def _look_after(self, watchdog: Watchdog) -> None:
        """Judge once more, so that short cells keep to the limits as well, and take the files."""

        def look() -> str | None:
            verdict = watchdog.look_at_all()
            if not isinstance(verdict, DiskVerdict):
                self.files, self.problems = output_files.collect(
                    self._places.data, self.before, self._limits, self._places.collected
                )
            return verdict

        if not self.broke_disk_limits:
            self._apply(await asyncio.to_thread(look))

    async def _judge(self, watchdog: Watchdog) -> None:
        self._apply(await asyncio.to_thread(watchdog.look))

    def _apply(self, verdict: str | None) -> None:
        if verdict and self._verdict is None:
            self.broke_disk_limits = isinstance(verdict, DiskVerdict)
            self._kill(verdict)

    def _kill(self, verdict: str) -> None:
        self._verdict = verdict
        self._client.signal(self._box, "kill")

    async def _talk(
        self, channel: Channel, output: OutputStream, number: int, code: str
    ) -> DoneMessage | None:
        """The worker's own account of the end; None when it gave none."""
        try:
            await channel.run_cell(number, code, self._places.shown_data or str(self._places.data))
            while not isinstance(message := await channel.receive(number), DoneMessage):
                await self._forward_available(output)
                await self._emit_image(message.png)
                await channel.acknowledge_figure()
        except EOFError:
            await self._box.ended.wait()
            return None
        except ProtocolError:
            self._kill("its process sent something that could not be understood")
            return None
        return message

    async def _emit_image(self, png: bytes | None) -> None:
        self._images += 1
        if self._images > self._limits.images:
            return
        if png is not None:
            await self._emit(Image(png))
        else:
            await self._emit(LogText("[A figure was too large to be shown.]\n"))
        if self._images == self._limits.images:
            await self._emit(LogText(f"[At most {self._images} figures are shown.]\n"))

    async def _forward_while(
        self, talk: "asyncio.Task[DoneMessage | None]", output: OutputStream
    ) -> None:
        """Pass on what is printed until the cell or the box ends."""
        ended = asyncio.create_task(self._box.ended.wait())
        try:
            while not talk.done() and not ended.done():
                printed = asyncio.create_task(output.wait())
                await asyncio.wait({talk, ended, printed}, return_when=asyncio.FIRST_COMPLETED)
                printed.cancel()
                await asyncio.gather(printed, return_exceptions=True)
                await self._forward_available(output)
        finally:
            ended.cancel()

    async def _forward_available(self, output: OutputStream) -> bool:
        """False when there was nothing to read."""
        async with self._reading:
            text = output.read()
            if text:
                await self._emit(LogText(text))
        if text == "":
            await asyncio.sleep(_PAUSE_WHEN_DROPPING)
        return text is not None

    async def _forward_rest(self, output: OutputStream) -> None:
        for _read in range(_MOST_READS_AT_END):
            if not await self._forward_available(output):
                return

    async def _emit_end(self, talk: "asyncio.Task[DoneMessage | None]") -> None:
        if not self._box.ended.is_set() and self._verdict:
            await self._box.ended.wait()
        if self._box.ended.is_set():
            talk.cancel()
            await self._emit_loss()
            return
        done = talk.result()
        assert done
        if done.ok or not self._interrupted:
            await self._emit(Ended(done.ok, done.error))
            return
        await self._emit(LogText(f"[The cell was {self._interrupted}. Variables are kept.]\n"))
        await self._emit(Ended(False, self._interrupted))

    async def _emit_loss(self) -> None:
        reason = self._verdict or _cause_of_death(self._box.killed_by)
        note = f"[The session ended: {reason}. Its variables are gone; "
        if self.broke_disk_limits:
            note += "the files that this cell made are removed, earlier ones kept.]\n"
        else:
            note += "its files are kept.]\n"
        await self._emit(LogText(note))
        await self._emit(Ended(False, reason, lost=True))


def _cause_of_death(signal_number: int | None) -> str:
    if signal_number is None:
        return "its Python process ended"
    return f"its Python process was ended by {Signals(signal_number).name}"
