"""What the two providers of endpoints share in reading requests and lists of models."""

from lib.models.provider import Json, ModelError, ModelInfo, ModelRequest


def check(request: ModelRequest) -> None:
    """Refuse what no endpoint could honour. Raises ModelError."""
    if request.tool_choice not in ("auto", "none") and not request.tools:
        raise ModelError(
            "invalid_prompt",
            "tool_choice asks for a tool call, but there are no tools. "
            "Give the assistant a tool, or set tool_choice to auto.",
        )


def defaults_in(request: ModelRequest) -> frozenset[str]:
    """Parameters whose value is the API's default: leaving them out changes nothing."""
    at_default = {
        "temperature": request.temperature == 1,
        "top_p": request.top_p == 1,
        "parallel_tool_calls": request.parallel_tool_calls,
    }
    return frozenset(name for name, is_default in at_default.items() if is_default)


def with_properties(parameters: Json) -> Json:
    """A function's JSON Schema; servers refuse the empty one that means: no arguments."""
    return parameters or {"type": "object", "properties": {}}


def model_infos(entries: list[Json]) -> list[ModelInfo]:
    return [
        ModelInfo(
            id=entry["id"],
            created=int(entry.get("created") or 0),
            owned_by=str(entry.get("owned_by") or ""),
        )
        for entry in entries
    ]
