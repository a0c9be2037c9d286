"""The API's own extensions beyond OpenAI's, typed as the SDK types the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast
from urllib.parse import urlencode

from openai import BaseModel, HttpxBinaryResponseContent, OpenAI, Stream
from openai.pagination import SyncCursorPage
from openai.types.beta import AssistantStreamEvent, Thread
from openai.types.beta.threads import Run
from openai.types.vector_stores import VectorStoreFile

Query = Mapping[str, str | int | None]

LONGEST_QUOTE = 2000
MOST_QUOTES = 10


class ListedThread(Thread):
    """A thread as the list of threads shows it."""

    title: str | None = None
    last_active_at: int | None = None
    """Unix time in seconds of the newest message or run."""


class ListedRun(Run):
    """A run as the list of all runs shows it."""

    answered_by: str | None = None
    """The model that really answered; the run itself echoes the one that was asked for."""
    thread_title: str | None = None
    assistant_name: str | None = None
    step_count: int | None = None
    duration_ms: int | None = None
    """From its creation to its end; null until then, as are the two below."""
    waited_ms: int | None = None
    """How much of that it waited for people."""
    cost: float | None = None
    """US dollars; null also when the model's price is not known."""


class ModelState(BaseModel):
    """The model behind the engine and how far it is."""

    kind: Literal["embedded", "endpoint"]
    phase: str
    """waiting, downloading, verifying, starting, ready, failed or unreachable."""
    message: str = ""
    base_url: str | None = None
    api: str | None = None
    default_model: str | None = None
    bytes_done: int | None = None
    bytes_total: int | None = None


class EmbedderState(BaseModel):
    """What ranks search results by meaning, and how far it is."""

    phase: str
    """off, waiting, downloading, ready or failed."""
    message: str
    bytes_done: int | None = None
    bytes_total: int | None = None


class ReadingProgress(BaseModel):
    """How far a file is that is being worked on."""

    stage: Literal["parsing", "indexing", "embedding", "done"]
    done: int = 0
    total: int = 0
    pages: int | None = None
    seconds_left: float | None = None
    """At the pace so far; None while there is none."""


class StoreFile(VectorStoreFile):
    """A file of a vector store with its name and what the search index holds of it."""

    filename: str
    bytes: int
    progress: ReadingProgress | None = None
    chunk_count: int = 0
    is_embedded: bool = False
    waits_for_embedder: bool = False


class FilePassage(BaseModel):
    """A quote with what stands around it in its file; the edges are those of the file."""

    before: str
    quote: str
    after: str
    is_whole_quote: bool
    begins_at_edge: bool
    ends_at_edge: bool


@dataclass(frozen=True)
class PageImage:
    """A page of a PDF file as a PNG, and how much of the quotes is highlighted on it."""

    png: bytes
    marked: str
    """whole, part or none."""


class CodeInterpreterState(BaseModel):
    """Whether code can be run on the server."""

    available: bool
    starting: bool = False
    message: str = ""
    """Which sandbox is active and why, or what to do to have one."""


class Counts(BaseModel):
    """How many objects the store holds."""

    assistants: int = 0
    threads: int = 0
    runs: int = 0
    waiting: int = 0
    """Runs that wait for the outputs of function calls."""


class TraceState(BaseModel):
    """How deliveries to one destination of traces are doing."""

    phase: str
    """off, ready, refused or unreachable."""
    message: str = ""
    since: int | None = None
    waiting: int = 0


class Health(BaseModel):
    """What the server says of itself; secrets among the settings are only `set` or `not set`."""

    status: str
    model: ModelState
    code_interpreter: CodeInterpreterState
    settings: dict[str, str | None]
    version: str
    data_dir: str
    counts: Counts
    embedder: EmbedderState | None = None
    traces: dict[str, TraceState]


def read_health(client: OpenAI) -> Health:
    """The server's health, read afresh and without patience: pages ask again by themselves."""
    return client.with_options(max_retries=0, timeout=5).get("/health", cast_to=Health)


def list_threads(client: OpenAI, **query: str | int | None) -> SyncCursorPage[ListedThread]:
    """Threads, the newest first unless `order` says otherwise."""
    return client.get_api_list(
        "/threads",
        page=SyncCursorPage[ListedThread],
        model=ListedThread,
        options={"params": _given(query)},
    )


def list_runs(client: OpenAI, **query: str | int | None) -> SyncCursorPage[ListedRun]:
    """Runs of all threads; filters: assistant_id, thread_id, status, created_after and _before."""
    return client.get_api_list(
        "/runs",
        page=SyncCursorPage[ListedRun],
        model=ListedRun,
        options={"params": _given(query)},
    )


def list_store_files(client: OpenAI, store_id: str, limit: int) -> SyncCursorPage[StoreFile]:
    """The newest files of a store, with their names and progress."""
    return client.get_api_list(
        f"/vector_stores/{store_id}/progress",
        page=SyncCursorPage[StoreFile],
        model=StoreFile,
        options={"params": {"limit": limit}},
    )


def read_page(client: OpenAI, file_id: str, page: int, quotes: Sequence[str]) -> PageImage:
    """A page of a PDF file, the quotes on it highlighted. The server has its own time limit."""
    query = urlencode({"quote": [quote[:LONGEST_QUOTE] for quote in quotes[:MOST_QUOTES]]}, True)
    answer = client.with_options(max_retries=0).get(
        f"/files/{file_id}/pages/{page}?{query}",
        cast_to=HttpxBinaryResponseContent,
        options={"headers": {"Accept": "image/png"}},
    )
    return PageImage(answer.read(), answer.response.headers.get("x-quote-marked", "none"))


def read_passage(client: OpenAI, file_id: str, quote: str) -> FilePassage:
    """What stands around a quote in its file."""
    return client.with_options(max_retries=0).get(
        f"/files/{file_id}/passage",
        cast_to=FilePassage,
        options={"params": {"quote": quote[:LONGEST_QUOTE]}},
    )


def run_events(client: OpenAI, thread_id: str, run_id: str) -> Stream[AssistantStreamEvent]:
    """Every event of a run from the first, then live ones until the run rests."""
    return client.get(
        f"/threads/{thread_id}/runs/{run_id}/events",
        cast_to=cast(Any, AssistantStreamEvent),
        stream=True,
        stream_cls=Stream[AssistantStreamEvent],
    )


def find_run(client: OpenAI, run_id: str) -> Run:
    """A run by its id alone. Raises openai.NotFoundError."""
    return client.get(f"/runs/{run_id}", cast_to=Run)


class RunDraft(BaseModel):
    """What was typed into a run's forms and not submitted yet."""

    values: dict[str, Any]


def read_draft(client: OpenAI, thread_id: str, run_id: str) -> dict[str, Any]:
    """The values typed so far, by keys of the dashboard's own."""
    path = f"/threads/{thread_id}/runs/{run_id}/draft"
    return dict(client.get(path, cast_to=RunDraft).values)


def keep_draft(client: OpenAI, thread_id: str, run_id: str, changes: dict[str, Any]) -> None:
    """Keep values; those that are None are taken out."""
    path = f"/threads/{thread_id}/runs/{run_id}/draft"
    client.post(path, body={"values": changes}, cast_to=RunDraft)


class FolderProblem(BaseModel):
    """Why something in the server's folder of functions is not offered."""

    file: str
    message: str


class ServerFunctions(BaseModel):
    """The functions that the server runs itself, as tools."""

    data: list[dict[str, Any]]
    problems: list[FolderProblem]


class FunctionResult(BaseModel):
    """What a call of one of them came to."""

    output: str
    is_error: bool


def server_functions(client: OpenAI) -> ServerFunctions:
    return client.get("/functions", cast_to=ServerFunctions)


def run_function(client: OpenAI, name: str, arguments: str) -> FunctionResult:
    """Run one call on the server; it has a time limit of its own."""
    patient = client.with_options(timeout=120, max_retries=0)
    return patient.post(
        f"/functions/{name}/run", body={"arguments": arguments}, cast_to=FunctionResult
    )


def _given(query: Query) -> dict[str, object]:
    return {name: value for name, value in query.items() if value is not None}
