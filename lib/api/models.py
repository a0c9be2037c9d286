"""`/models`: list, retrieve."""

import json
from typing import Any

from fastapi import APIRouter, Response

from lib.api.dependencies import StudioDep
from lib.api.errors import ApiError
from lib.api.replies import json_reply
from lib.models.provider import ModelInfo

router = APIRouter(tags=["Models"])


@router.get("/models")
async def get_models(studio: StudioDep) -> Response:
    models = [_as_json(model) for model in await studio.models.list_models()]
    return json_reply(json.dumps({"object": "list", "data": models}))


@router.get("/models/{model:path}")
async def retrieve_model(model: str, studio: StudioDep) -> Response:
    for known in await studio.models.list_models():
        if known.id == model:
            return json_reply(json.dumps(_as_json(known)))
    raise ApiError(404, f"The model '{model}' does not exist", "model", "model_not_found")


def _as_json(model: ModelInfo) -> dict[str, Any]:
    return {
        "id": model.id,
        "object": "model",
        "created": model.created,
        "owned_by": model.owned_by,
    }
