"""`/functions`, an extension: the functions that this server runs itself, from FUNCTIONS_DIR."""

import json
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Response

from lib.api.bodies import Body
from lib.api.dependencies import StudioDep
from lib.api.errors import ApiError
from lib.api.replies import json_reply

router = APIRouter(tags=["Extensions"])


class FunctionCall(Body):
    """`arguments` is the JSON text that the model wrote, or the object itself."""

    arguments: str | dict[str, Any] = "{}"


@router.get("/functions")
async def get_functions(studio: StudioDep) -> Response:
    """Extension: the tools to give to an assistant, and what in the folder is not offered."""
    listing = await studio.functions.listing()
    body = {
        "object": "list",
        "data": [function.definition for function in listing.functions.values()],
        "problems": [asdict(problem) for problem in listing.problems],
    }
    return json_reply(json.dumps(body))


@router.post("/functions/{name}/run")
async def run_function(name: str, body: FunctionCall, studio: StudioDep) -> Response:
    """Extension: run one call and give its output; errors of the function are its output."""
    if name not in await studio.functions.names():
        raise ApiError(404, f"No function found with name '{name}'.")
    arguments = body.arguments
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return json_reply(json.dumps(asdict(await studio.functions.run(name, text))))
