"""Start the house: the dashboard at `/`, the API at `/v1`, in one process.

streamlit run streamlit_app.py
"""

import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.routing import Mount

from lib.api.app import create_api
from lib.engine.search_index import check_index
from lib.network import refuse_to_listen_openly
from lib.settings import SettingsError, load_settings
from lib.stopping import when_asked_to_stop
from lib.store.database import StorageError, open_store
from lib.studio import run_studio

try:
    settings = load_settings()
    refuse_to_listen_openly(settings, st.get_option("server.address"))
    # A database that cannot be opened is told here: in the lifespan it would be a stack trace.
    open_store(settings.database).close()
    if settings.search_database_url:
        check_index(settings.data_dir.resolve(), settings.search_database_url)
except (SettingsError, StorageError) as error:
    sys.exit(str(error))

api = create_api()


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[dict[str, Any]]:
    try:
        async with run_studio(settings) as studio:
            api.state.studio = studio
            # What is loaded by now stays: the collector need not walk it on every page rerun.
            gc.freeze()
            with when_asked_to_stop(studio.engine.log.close):
                yield {}
    except StorageError as error:
        sys.exit(str(error))


app = st.App(
    Path(__file__).parent / "lib" / "dashboard" / "main.py",
    routes=[Mount("/v1", app=api)],
    lifespan=lifespan,
)
