"""`/health`, an extension: whether the server can answer, and what it is preparing."""

import json
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lib.api.dependencies import StudioDep
from lib.api.replies import json_reply
from lib.models.endpoint import without_credentials
from lib.settings import Settings
from lib.store.tables import AssistantRow, RunRow, ThreadRow
from lib.studio import VERSION, Studio

router = APIRouter(tags=["Extensions"])

_PREPARING = ("waiting", "downloading", "verifying", "starting")


@router.get("/health")
async def get_health(studio: StudioDep) -> Response:
    model = await _model(studio)
    body = {
        "status": _status(model["phase"]),
        "model": model,
        "code_interpreter": {
            "available": studio.code.is_available,
            "starting": studio.code.is_starting,
            "message": studio.code.status,
        },
        "traces": studio.tracing.states(),
        "embedder": asdict(studio.ingestion.embedders.state),
        "settings": _shown(studio.settings),
        "version": VERSION,
        "data_dir": str(studio.settings.data_dir.resolve()),
        "counts": await studio.store.read(_counts),
    }
    return json_reply(json.dumps(body))


async def _model(studio: Studio) -> dict[str, Any]:
    health = await studio.models.health()
    model = {
        "kind": health.kind,
        "base_url": health.base_url,
        "api": health.api,
        "default_model": health.default_model,
    }
    if studio.embedded:
        state = studio.embedded.state
        return {**model, **asdict(state)}
    return {
        **model,
        "phase": "ready" if health.reachable else "unreachable",
        "message": health.message,
        "bytes_done": None,
        "bytes_total": None,
    }


def _status(phase: str) -> str:
    if phase in _PREPARING:
        return "preparing"
    return "ok" if phase == "ready" else "problem"


def _shown(settings: Settings) -> dict[str, str]:
    """Every setting by its variable's name; of secrets only whether they are set."""
    shown: dict[str, str] = {}
    for name, value in settings.model_dump(mode="json").items():
        is_secret = not Settings.model_fields[name].repr
        shown[name.upper()] = _state(value) if is_secret else _text(value)
    return shown


def _state(value: Any) -> str:
    return "set" if value else "not set"


def _text(value: Any) -> str:
    if value is None:
        return "not set"
    if not isinstance(value, str):
        return json.dumps(value)
    return without_credentials(value) if "://" in value else value


def _counts(session: Session) -> dict[str, int]:
    waiting = select(func.count()).where(RunRow.status == "requires_action")
    return {
        "assistants": _count(session, AssistantRow),
        "threads": _count(session, ThreadRow),
        "runs": _count(session, RunRow),
        "waiting": session.scalar(waiting) or 0,
    }


def _count(session: Session, table: type[AssistantRow | ThreadRow | RunRow]) -> int:
    return session.scalar(select(func.count()).select_from(table)) or 0
