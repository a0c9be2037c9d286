"""file_search: what the files of the assistant and of the thread say, with citations."""

from collections.abc import Sequence
from functools import partial

from pydantic_core import from_json
from sqlalchemy import select
from sqlalchemy.orm import Session

from lib.engine.builtin.protocol import Addition, Emit, Invocation, Outcome, Shaper
from lib.engine.clock import now
from lib.engine.ingestion import Ingestion
from lib.engine.store_search import StoreSearch
from lib.engine.vector_stores import TYPE
from lib.models.provider import FunctionTool, ModelError
from lib.models.registry import ModelRegistry
from lib.store.database import StorageError, Store
from lib.store.tables import (
    AssistantRow,
    FileRow,
    Json,
    RunRow,
    StepRow,
    ThreadRow,
    VectorStoreFileRow,
    VectorStoreRow,
)
from lib.store.vector_stores import FAILED, is_expired
from lib.tools.file_search.chunking import Chunk, PageStart
from lib.tools.file_search.citations.context import Source, context_text
from lib.tools.file_search.citations.markers import CitationFilter, Cited, FileCitation
from lib.tools.file_search.index.protocol import FileKey, IndexedFile, IndexUnavailableError
from lib.tools.file_search.ranking import RankingOptions
from lib.tools.file_search.search import SearchResult

_DESCRIPTION = (
    "Searches the user's files and returns the passages that fit best. Use it whenever the answer "
    "may stand in a file. Ask for what you need in full words; ask again in other words when "
    "nothing fits."
)
_PARAMETERS: Json = {
    "type": "object",
    "properties": {"query": {"type": "string", "description": "What to look for."}},
    "required": ["query"],
    "additionalProperties": False,
}
_DEFAULT_RESULTS = 20
_MOST_NAMED = 20
"""File names that the model is told of; more would only cost tokens."""
_MOST_STEPS_BACK = 50
_WAIT_FOR_FILES = 60.0
"""Seconds a search waits for files that are just being read, as the hosted API did."""
_MOST_TOKENS = 16_000
_LEAST_TOKENS = 400
_WINDOW_SHARE = 4
"""A quarter of the context window is for the first search's results, then half as much each."""


class FileSearchTool:
    """Searches the stores of the run's assistant and thread."""

    type = TYPE

    def __init__(
        self, store: Store, ingestion: Ingestion, search: StoreSearch, models: ModelRegistry
    ) -> None:
        self._store = store
        self._ingestion = ingestion
        self._search = search
        self._models = models

    async def declare(self, run: RunRow, _definition: Json) -> FunctionTool:
        names = await self._store.read(partial(_filenames, run=run))
        named = tuple(names[:_MOST_NAMED])
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        files = f" The files: {', '.join(named)}{more}." if names else " There are no files yet."
        return FunctionTool(TYPE, _DESCRIPTION + files, _PARAMETERS, files=named)

    def begin(self) -> Json:
        return {}

    def written(self, arguments: str) -> str:  # noqa: ARG002
        return ""

    async def run(self, invocation: Invocation, emit: Emit) -> Outcome:
        options = _options(invocation.definition)
        query = _query(invocation.arguments)
        call = invocation.earlier + await self._store.read(
            partial(_first_number, run=invocation.run)
        )
        try:
            results, is_whole = await self._find(invocation.run, query, options)
        except (StorageError, IndexUnavailableError) as error:
            results, is_whole = [], True
            note = f"[The files could not be searched: {error}]"
        else:
            note = "" if is_whole else "[Some files are still being read; ask again later.]"
        section = _section(options, results)
        invocation.section.update(section)
        emit(section)
        budget = await self._budget(invocation)
        told = context_text(results, call, budget)
        state = {"call": call, "sources": [_as_state(source) for source in told.sources]}
        return Outcome("\n\n".join(filter(None, [told.text, note])), state)

    async def shaper(
        self,
        run: RunRow,
        steps: Sequence[StepRow],
        fresh: int,  # noqa: ARG002
    ) -> Shaper:
        """Markers may refer to any search of the thread: the model sees the older ones too."""
        own = [source for step in steps for source in _sources(step)]
        older = await self._store.read(partial(_older_sources, run=run))
        return CitationShaper([*own, *older], cites_by_overlap=bool(own))

    async def forget(self, thread_id: str) -> None:
        """The thread's own store lives on: it expires by itself, or is used elsewhere."""

    async def _find(
        self, run: RunRow, query: str, options: RankingOptions
    ) -> tuple[list[SearchResult], bool]:
        """The results, and whether all files could be searched."""
        store_ids = await self._store.read(partial(_store_ids, run=run))
        is_whole = await self._ingestion.settle(store_ids, _WAIT_FOR_FILES)
        return await self._search.search(store_ids, [query], options), is_whole

    async def _budget(self, invocation: Invocation) -> int:
        """Tokens that this call's results may take in the model's context."""
        provider, model = await self._models.resolve(invocation.run.model)
        window = await provider.context_window(model)
        first = _MOST_TOKENS if window is None else min(_MOST_TOKENS, window // _WINDOW_SHARE)
        return max(first >> min(invocation.earlier, 10), _LEAST_TOKENS)


class CitationShaper:
    """Turns the markers that the model writes into annotations, and takes unsound ones out."""

    def __init__(self, sources: Sequence[Source], cites_by_overlap: bool) -> None:
        # The newest searches come first: of two that fit alike, they are cited.
        self._sources = sources
        self._cites_by_overlap = cites_by_overlap
        self._filter = CitationFilter(sources)

    def opening(self) -> list[Json]:
        return []

    def feed(self, text: str) -> Addition:
        return _addition(self._filter.feed(text))

    def finish(self, said: str) -> Addition:  # noqa: ARG002
        cited = self._filter.finish(self._cites_by_overlap)
        # What follows a tool call in the same reply is another message, counted from 0.
        self._filter = CitationFilter(self._sources)
        return _addition(cited)

    def attachments(self, said: str) -> list[Json]:  # noqa: ARG002
        return []


def _addition(cited: Cited) -> Addition:
    return Addition(cited.text, [_annotation(citation) for citation in cited.citations])


def _annotation(citation: FileCitation) -> Json:
    """The API's annotation; `quote`, `filename` and `page` are extensions."""
    return {
        "type": "file_citation",
        "text": citation.text,
        "start_index": citation.start_index,
        "end_index": citation.end_index,
        "file_citation": {
            "file_id": citation.file_id,
            "quote": citation.quote,
            "filename": citation.filename,
            "page": citation.page,
        },
    }


def _query(arguments: str) -> str:
    """The query; text that is no JSON is taken for the query itself."""
    try:
        value = from_json(arguments, allow_partial="trailing-strings")
    except ValueError:
        return arguments.strip()
    query = value.get("query") if isinstance(value, dict) else value
    return query.strip() if isinstance(query, str) else ""


def _options(definition: Json) -> RankingOptions:
    chosen = definition.get(TYPE) or {}
    ranking = chosen.get("ranking_options") or {}
    return RankingOptions(
        max_num_results=chosen.get("max_num_results") or _DEFAULT_RESULTS,
        score_threshold=ranking.get("score_threshold") or 0.0,
    )


def _section(options: RankingOptions, results: Sequence[SearchResult]) -> Json:
    return {
        "ranking_options": {
            "ranker": "default_2024_08_21",
            "score_threshold": options.score_threshold,
        },
        "results": [
            {
                "file_id": result.file.key.file_id,
                "file_name": result.file.filename,
                "score": round(result.score, 6),
                "attributes": dict(result.file.attributes),
                "content": [{"type": "text", "text": result.chunk.text}],
            }
            for result in results
        ],
    }


def _as_state(source: Source) -> Json:
    """What the step's results do not say of a source."""
    chunk = source.result.chunk
    return {
        "store_id": source.result.file.key.store_id,
        "start": chunk.start,
        "end": chunk.end,
        "pages": [list(page) for page in chunk.pages],
    }


def _sources(step: StepRow) -> list[Source]:
    """What the model was shown in a step's searches."""
    return [
        _source(step.tool_states[call["id"]]["call"], number, kept, call[TYPE]["results"][number])
        for call in step.step_details["tool_calls"]
        if call["type"] == TYPE and call["id"] in step.tool_states
        for number, kept in enumerate(step.tool_states[call["id"]].get("sources", []))
    ]


def _source(call: int, number: int, kept: Json, result: Json) -> Source:
    file = IndexedFile(
        FileKey(kept["store_id"], result["file_id"]), result["file_name"], fingerprint=""
    )
    chunk = Chunk(
        text=result["content"][0]["text"],
        start=kept["start"],
        end=kept["end"],
        tokens=0,
        pages=tuple(PageStart(*page) for page in kept["pages"]),
    )
    return Source(call, number, SearchResult(file, chunk, result["score"], None, None))


def _store_ids(session: Session, run: RunRow) -> list[str]:
    """The stores of the assistant and of the thread. Raises ModelError for an expired one."""
    assistant = session.scalar(select(AssistantRow).where(AssistantRow.id == run.assistant_id))
    thread = session.scalar(select(ThreadRow).where(ThreadRow.id == run.thread_id))
    named: list[str] = []
    for owner in (assistant, thread):
        section = (owner.tool_resources if owner else {}).get(TYPE) or {}
        named += section.get("vector_store_ids") or []
    found = session.scalars(select(VectorStoreRow).where(VectorStoreRow.id.in_(named))).all()
    for row in found:
        if is_expired(row, now()):
            raise ModelError(
                "server_error",
                f"The vector store {row.id} has expired. Make a new one with the same files and "
                "attach it to the assistant or the thread.",
            )
    return [row.id for row in found]


def _filenames(session: Session, run: RunRow) -> list[str]:
    query = (
        select(FileRow.filename)
        .join(VectorStoreFileRow, VectorStoreFileRow.id == FileRow.id)
        .where(
            VectorStoreFileRow.vector_store_id.in_(_store_ids(session, run)),
            VectorStoreFileRow.status != FAILED,
        )
    )
    return list(session.scalars(query.order_by(VectorStoreFileRow.position.desc())))


def _first_number(session: Session, run: RunRow) -> int:
    """The number of the run's first search: markers are numbered through the whole thread."""
    query = select(StepRow.tool_states).where(
        StepRow.thread_id == run.thread_id, StepRow.run_id != run.id
    )
    numbers = [
        state["call"]
        for states in session.scalars(query)
        for state in states.values()
        if "call" in state
    ]
    return max(numbers, default=-1) + 1


def _older_sources(session: Session, run: RunRow) -> list[Source]:
    """What earlier runs of the thread found, the newest first."""
    query = (
        select(StepRow)
        .where(
            StepRow.thread_id == run.thread_id,
            StepRow.type == "tool_calls",
            StepRow.run_id != run.id,
        )
        .order_by(StepRow.position.desc())
        .limit(_MOST_STEPS_BACK)
    )
    return [source for step in session.scalars(query) for source in _sources(step)]
