"""The whole server put together: store, models, engine. Started once for a process."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from lib.engine.batches import Batches
from lib.engine.builtin.code_interpreter import CodeInterpreterTool
from lib.engine.builtin.file_search import FileSearchTool
from lib.engine.builtin.protocol import BuiltinTool
from lib.engine.embedder_source import embedder_source
from lib.engine.engine import Engine
from lib.engine.events import open_event_log
from lib.engine.ingestion import Ingestion
from lib.engine.search_index import open_index
from lib.engine.store_search import StoreSearch
from lib.models.embedded.provider import EmbeddedProvider
from lib.models.registry import ModelRegistry
from lib.observability.figures import keep_figures
from lib.observability.pricing import Prices
from lib.observability.tracing import Tracing, start_tracing
from lib.settings import Settings
from lib.store.blobs import Blobs
from lib.store.database import Store, open_store
from lib.tools.code_interpreter.interpreter import CodeInterpreter
from lib.tools.code_interpreter.limits import MIB, Limits
from lib.tools.file_search.page_images.renderer import PageRenderer
from lib.tools.functions.folder import FunctionFolder

logger = logging.getLogger(__name__)

VERSION = "0.1.0"


@dataclass(frozen=True)
class Studio:
    """What the API works with. Made by `run_studio`."""

    settings: Settings
    store: Store
    engine: Engine
    blobs: Blobs
    models: ModelRegistry
    functions: FunctionFolder
    embedded: EmbeddedProvider | None
    code: CodeInterpreterTool
    ingestion: Ingestion
    search: StoreSearch
    pages: PageRenderer
    tracing: Tracing
    batches: Batches


@asynccontextmanager
async def run_studio(settings: Settings) -> AsyncIterator[Studio]:
    """Start everything, taking up unfinished runs, and stop it again. Raises StorageError."""
    store = open_store(settings.database)
    embedded = _embedded(settings)
    data_dir = settings.data_dir.resolve()
    blobs = Blobs(data_dir / "files")
    code = CodeInterpreterTool(_code_interpreter(settings), store, blobs)
    opened = await asyncio.to_thread(open_index, data_dir, settings.search_database_url)
    ingestion = Ingestion(store, blobs, opened.index, embedder_source(settings), opened.is_new)
    search = StoreSearch(store, opened.index, ingestion.embedders)
    models = ModelRegistry(settings, embedded)
    knowledge = FileSearchTool(store, ingestion, search, models)
    # file_search takes markers out of the text; what counts characters of it comes after.
    builtin: dict[str, BuiltinTool] = {knowledge.type: knowledge, code.type: code}
    functions = FunctionFolder(settings.functions_dir, settings.secret_names())
    log = await open_event_log(store)
    prices = Prices(settings.model_prices, settings.model_base_url)
    prices.load_in_background()
    engine = Engine(store, log, blobs, models, builtin, functions, prices, settings)
    if embedded:
        embedded.start()
    engine.log.keep(keep_figures)
    tracing = start_tracing(settings, store, engine.log)
    await ingestion.start()
    await asyncio.to_thread(opened.note_use)
    await engine.start()
    batches = Batches(store, engine)
    batches.start()
    try:
        yield Studio(
            settings,
            store,
            engine,
            blobs,
            models,
            functions,
            embedded,
            code,
            ingestion,
            search,
            PageRenderer(),
            tracing,
            batches,
        )
    finally:
        await batches.close()
        await engine.close()
        await tracing.close()
        await ingestion.close()
        await code.close()
        await models.close()
        store.close()


def _code_interpreter(settings: Settings) -> CodeInterpreter:
    limits = Limits(
        wall_seconds=settings.code_timeout,
        cpu_seconds=settings.code_cpu_seconds,
        memory_bytes=settings.code_memory_mb * MIB,
        processes=settings.code_processes,
        file_bytes=settings.code_file_mb * MIB,
        disk_bytes=settings.code_disk_mb * MIB,
        output_bytes=settings.code_output_kb * 1024,
    )
    return CodeInterpreter(
        settings.data_dir.resolve() / "sandbox",
        settings.code_interpreter,
        limits,
        settings.code_idle_minutes * 60,
    )


def _embedded(settings: Settings) -> EmbeddedProvider | None:
    if not settings.uses_embedded_model:
        return None
    return EmbeddedProvider(settings.embedded_model, settings.data_dir)
