"""The whole server put together: store, models, engine. Started once for a process."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lib.engine.builtin.protocol import BuiltinTool
from lib.engine.engine import Engine
from lib.engine.events import open_event_log
from lib.models.embedded.provider import EmbeddedProvider
from lib.models.registry import ModelRegistry
from lib.settings import Settings
from lib.store.blobs import Blobs
from lib.store.database import Store, open_store
from lib.tools.functions.folder import FunctionFolder

logger = logging.getLogger(__name__)

VERSION = "0.1.0"


class Studio:
    """What the API works with. Made by `run_studio`."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        engine: Engine,
        blobs: Blobs,
        models: ModelRegistry,
        functions: FunctionFolder,
        embedded: EmbeddedProvider | None,
    ) -> None:
        self.settings = settings
        self.store = store
        self.engine = engine
        self.blobs = blobs
        self.models = models
        self.functions = functions
        self.embedded = embedded


@asynccontextmanager
async def run_studio(settings: Settings) -> AsyncIterator[Studio]:
    """Start everything, taking up unfinished runs, and stop it again. Raises StorageError."""
    store = open_store(settings.database)
    embedded = _embedded(settings)
    blobs = Blobs(settings.data_dir.resolve() / "files")
    builtin: dict[str, BuiltinTool] = {}
    models = ModelRegistry(settings, embedded)
    functions = FunctionFolder(settings.functions_dir, settings.secret_names())
    log = await open_event_log(store)
    engine = Engine(store, log, blobs, models, builtin, functions, settings)
    if embedded:
        embedded.start()
    await engine.start()
    try:
        yield Studio(settings, store, engine, blobs, models, functions, embedded)
    finally:
        await engine.close()
        await models.close()
        store.close()


def _embedded(settings: Settings) -> EmbeddedProvider | None:
    if not settings.uses_embedded_model:
        return None
    return EmbeddedProvider(settings.embedded_model, settings.data_dir)
