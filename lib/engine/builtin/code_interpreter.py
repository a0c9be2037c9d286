"""code_interpreter: Python that the model writes, run in the thread's own sandbox."""

import asyncio
import io
import re
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from pydantic_core import from_json
from sqlalchemy import select
from sqlalchemy.orm import Session

from lib.engine.builtin.protocol import Addition, Emit, Invocation, Outcome, Shaper, states_of
from lib.engine.clock import now
from lib.models.provider import FunctionTool, ModelError
from lib.store.blobs import Blobs, Received
from lib.store.database import StorageError, Store
from lib.store.files import add_file
from lib.store.ids import new_id
from lib.store.tables import (
    AssistantRow,
    FileRow,
    Json,
    MessageRow,
    RunRow,
    SandboxFileRow,
    StepRow,
    ThreadRow,
)
from lib.tools.code_interpreter.events import Done, Image, LogText, OutputFile
from lib.tools.code_interpreter.input_files import names_for
from lib.tools.code_interpreter.interpreter import CodeInterpreter, UnavailableError
from lib.tools.code_interpreter.sandbox.protocol import SandboxError
from lib.tools.code_interpreter.session import Session as SandboxSession

TYPE = "code_interpreter"

_DESCRIPTION = (
    "Runs Python code and returns what it prints. Define what the code needs, call it, and print "
    "the result. Variables are kept between calls. Installed: numpy, pandas, matplotlib, scipy, "
    "pillow, pypdf, openpyxl and python-docx, nothing else; there is no network. Figures are "
    "shown to the user. Save files for the user under /mnt/data and link to them as "
    "[name](sandbox:/mnt/data/name)."
)
_PARAMETERS: Json = {
    "type": "object",
    "properties": {"code": {"type": "string", "description": "Python code to run."}},
    "required": ["code"],
    "additionalProperties": False,
}
_CODE = re.compile(r'"code"\s*:\s*("(?:[^"\\]|\\.)*"?)', re.DOTALL)
_CONTROL = str.maketrans({"\n": "\\n", "\r": "\\r", "\t": "\\t"})
_NAME_ENDS = r"(?![\w/-]|\.\w)"
"""After a file's name: `data.csv.` may end a sentence, `data.csv.gz` is another file."""
_NOTHING = (
    "[The code ran and printed nothing, so there is no result yet. Where one is wanted, run code "
    "that calls the function and prints its result.]"
)
_NO_CODE = '[The call had no code. Give it as {"code": "…"}.]\n'
_MOST_TOLD = 20_000
"""Characters of a cell's output that the model is told; people see all of it."""


@dataclass(slots=True)
class _Cell:
    """What a cell has produced so far: `outputs` for clients, the rest for the model's answer."""

    outputs: list[Json] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    files: list[Json] = field(default_factory=list)
    is_done: bool = False
    """Whether the code ran to its end without an error."""

    def log(self, text: str) -> Json:
        """Append text to the logs. Returns the delta that tells it."""
        if not self.outputs or self.outputs[-1]["type"] != "logs":
            self.outputs.append({"type": "logs", "logs": ""})
        self.outputs[-1]["logs"] += text
        return {"index": len(self.outputs) - 1, "type": "logs", "logs": text}

    def image(self, file_id: str) -> Json:
        output: Json = {"type": "image", "image": {"file_id": file_id}}
        self.images.append(file_id)
        self.outputs.append(output)
        return {"index": len(self.outputs) - 1, **output}

    def told(self) -> str:
        """The cell's outcome in words for the model."""
        logs = "".join(item["logs"] for item in self.outputs if item["type"] == "logs")
        if len(logs) > _MOST_TOLD:
            half = _MOST_TOLD // 2
            logs = f"{logs[:half]}\n[… {len(logs) - _MOST_TOLD:,} characters …]\n{logs[-half:]}"
        notes = [f"[{len(self.images)} figure(s) shown to the user.]"] if self.images else []
        notes += [f"[File made: sandbox:/mnt/data/{item['name']}]" for item in self.files]
        return "\n".join(filter(None, [logs.rstrip(), *notes])) or _NOTHING


class CodeInterpreterTool:
    """Sessions are the thread's: files and variables outlive a run."""

    type = TYPE

    def __init__(self, interpreter: CodeInterpreter, store: Store, blobs: Blobs) -> None:
        self._interpreter = interpreter
        self._store = store
        self._blobs = blobs
        self._started = asyncio.create_task(interpreter.start())

    @property
    def is_starting(self) -> bool:
        return not self._started.done()

    @property
    def status(self) -> str:
        """One sentence: which sandbox is active and why, or what to do to have one."""
        return self._interpreter.status.reason

    @property
    def is_available(self) -> bool:
        return self._interpreter.status.tier is not None

    async def declare(self, run: RunRow, _definition: Json) -> FunctionTool:
        await asyncio.shield(self._started)
        if not self.is_available:
            raise ModelError(
                "server_error",
                f"The assistant uses Code Interpreter, which cannot run here. {self.status}",
            )
        names = await self._store.read(lambda session: _names(session, run))
        files = f" Files in /mnt/data: {', '.join(names)}." if names else ""
        return FunctionTool(TYPE, _DESCRIPTION + files, _PARAMETERS, files=tuple(names))

    def begin(self) -> Json:
        return {"input": "", "outputs": []}

    def written(self, arguments: str) -> str:
        """The code as far as it is written; text that is no JSON is taken for the code itself."""
        if arguments.strip() and not arguments.lstrip().startswith("{"):
            return arguments
        try:
            value = from_json(arguments, allow_partial="trailing-strings")
        except ValueError:
            return _code_in_broken_json(arguments)
        code = value.get("code") if isinstance(value, dict) else None
        return code if isinstance(code, str) else ""

    async def run(self, invocation: Invocation, emit: Emit) -> Outcome:
        code = self.written(invocation.arguments)
        cell = _Cell()
        invocation.section.update(input=code, outputs=cell.outputs)
        if not code.strip():
            emit({"outputs": [cell.log(_NO_CODE)]})
            return Outcome(cell.told(), has_result=False)
        try:
            session = await self._interpreter.session(invocation.run.thread_id)
            await self._place_files(session, invocation.run)
            # Closed at once when this is cancelled: the session is free for the next cell then.
            async with aclosing(session.execute(code)) as events:
                async for event in events:
                    await self._take(invocation.run.thread_id, cell, event, emit)
        except (SandboxError, UnavailableError, StorageError) as error:
            emit({"outputs": [cell.log(f"[The code could not be run: {error}]\n")]})
        except OSError as error:
            emit({"outputs": [cell.log(f"[The code could not be run: {error.strerror}]\n")]})
        told = cell.told()
        state: Json = {"images": cell.images, "files": cell.files}
        return Outcome(told, state, has_result=cell.is_done and told != _NOTHING)

    async def shaper(self, run: RunRow, steps: Sequence[StepRow], fresh: int) -> Shaper:
        states = states_of(steps[len(steps) - fresh :], TYPE)
        names = await self._store.read(lambda session: _file_ids_by_name(session, run.thread_id))
        return CodeShaper(states, names)

    async def forget(self, thread_id: str) -> None:
        await asyncio.shield(self._started)
        await self._interpreter.delete(thread_id)

    async def close(self) -> None:
        await asyncio.wait([self._started])
        await self._interpreter.close()

    async def _take(
        self, thread_id: str, cell: _Cell, event: LogText | Image | Done, emit: Emit
    ) -> None:
        match event:
            case LogText(text):
                emit({"outputs": [cell.log(text)]})
            case Image(png):
                file_id = await self._keep(io.BytesIO(png), "figure.png")
                emit({"outputs": [cell.image(file_id)]})
            case Done(is_done, _, files):
                cell.is_done = is_done
                cell.files = [await self._keep_output(thread_id, file) for file in files]

    async def _place_files(self, session: SandboxSession, run: RunRow) -> None:
        """Put the files that the run may use where its code can read them."""
        missing = await self._store.read(lambda db: _not_yet_placed(db, run))
        for file in missing:
            name = await session.put(file.filename, self._blobs.path(file.sha256))
            await self._record(run.thread_id, file.id, name)

    async def _keep_output(self, thread_id: str, file: OutputFile) -> Json:
        with await asyncio.to_thread(file.path.open, "rb") as source:
            file_id = await self._keep(source, file.name.rsplit("/", 1)[-1])
        await asyncio.to_thread(_remove, file.path)
        await self._record(thread_id, file_id, file.name)
        return {"file_id": file_id, "name": file.name}

    async def _keep(self, source: BinaryIO, filename: str) -> str:
        received = await asyncio.to_thread(self._blobs.receive, source)
        row = _output_row(received, filename)
        await self._store.write(lambda db: add_file(db, self._blobs, received, row))
        return row.id

    async def _record(self, thread_id: str, file_id: str, name: str) -> None:
        row = SandboxFileRow(thread_id=thread_id, file_id=file_id, name=name)
        await self._store.write(lambda db: db.add(row))


class CodeShaper:
    """Figures stand before the text; links to files that code made can be followed."""

    def __init__(self, states: Sequence[Json], file_ids: dict[str, str]) -> None:
        self._states = states
        self._file_ids = file_ids

    def opening(self) -> list[Json]:
        return [
            {"type": "image_file", "image_file": {"file_id": file_id}}
            for state in self._states
            for file_id in state.get("images", [])
        ]

    def feed(self, text: str) -> Addition:
        return Addition(text)

    def finish(self, said: str) -> Addition:
        return Addition(annotations=list(self._links(said)))

    def attachments(self, said: str) -> list[Json]:
        """The files that were just made, where the text has no link to any file."""
        if self._links(said):
            return []
        return [
            {"file_id": file["file_id"], "tools": [{"type": TYPE}]}
            for state in self._states
            for file in state.get("files", [])
        ]

    def _links(self, said: str) -> list[Json]:
        spellings = {quote(name): file_id for name, file_id in self._file_ids.items()}
        spellings |= self._file_ids
        if not spellings:
            return []
        # Longest first: `a.csv.gz` is not `a.csv`.
        names = "|".join(re.escape(name) for name in sorted(spellings, key=len, reverse=True))
        return [
            {
                "type": "file_path",
                "text": link.group(),
                "start_index": link.start(),
                "end_index": link.end(),
                "file_path": {"file_id": spellings[link.group(1)]},
            }
            for link in re.finditer(f"sandbox:/mnt/data/({names}){_NAME_ENDS}", said)
        ]


def _code_in_broken_json(arguments: str) -> str:
    """Small models write line breaks into JSON strings as they are, which JSON forbids."""
    found = _CODE.search(arguments)
    if found is None:
        return ""
    try:
        code = from_json(found[1].translate(_CONTROL), allow_partial="trailing-strings")
    except ValueError:
        return ""
    return str(code)


def _output_row(received: Received, filename: str) -> FileRow:
    return FileRow(
        id=new_id("file-"),
        created_at=now(),
        filename=filename,
        purpose="assistants_output",
        bytes=received.size,
        sha256=received.sha256,
    )


def _usable_file_ids(session: Session, run: RunRow) -> list[str]:
    """Files of the assistant, of the thread, and attached to its messages, in that order."""
    assistant = session.scalar(select(AssistantRow).where(AssistantRow.id == run.assistant_id))
    thread = session.scalar(select(ThreadRow).where(ThreadRow.id == run.thread_id))
    ids: list[str] = []
    for owner in (assistant, thread):
        section = (owner.tool_resources if owner else {}).get(TYPE) or {}
        ids += section.get("file_ids") or []
    query = select(MessageRow.attachments).where(
        MessageRow.thread_id == run.thread_id, MessageRow.role == "user"
    )
    for attachments in session.scalars(query.order_by(MessageRow.position)):
        ids += [item["file_id"] for item in attachments if _is_for_code(item)]
    return list(dict.fromkeys(ids))


def _is_for_code(attachment: Json) -> bool:
    return any(tool["type"] == TYPE for tool in attachment.get("tools") or [])


def _not_yet_placed(session: Session, run: RunRow) -> list[FileRow]:
    wanted = _usable_file_ids(session, run)
    placed = set(
        session.scalars(
            select(SandboxFileRow.file_id).where(SandboxFileRow.thread_id == run.thread_id)
        )
    )
    files = {row.id: row for row in session.scalars(select(FileRow).where(FileRow.id.in_(wanted)))}
    return [files[file_id] for file_id in wanted if file_id in files and file_id not in placed]


def _names(session: Session, run: RunRow) -> list[str]:
    """What code finds under /mnt/data."""
    placed = session.scalars(
        select(SandboxFileRow.name)
        .where(SandboxFileRow.thread_id == run.thread_id)
        .order_by(SandboxFileRow.position)
    )
    names = list(dict.fromkeys(placed))
    for file in _not_yet_placed(session, run):
        free = (name for name in names_for(file.filename) if name not in names)
        names.append(next(free))
    return names


def _file_ids_by_name(session: Session, thread_id: str) -> dict[str, str]:
    """The newest file of each name under /mnt/data."""
    query = select(SandboxFileRow.name, SandboxFileRow.file_id).where(
        SandboxFileRow.thread_id == thread_id
    )
    return dict(session.execute(query.order_by(SandboxFileRow.position)).tuples().all())


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
