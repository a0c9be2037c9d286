"""The record of each call of a model: what it was shown, when, and what it cost in tokens."""

import json
import time
from dataclasses import dataclass, field
from typing import Protocol

from lib.engine.usage import usage_json
from lib.models.provider import (
    AssistantTurn,
    Finished,
    ImagePart,
    ModelError,
    ModelRequest,
    ToolRound,
    Turn,
    Usage,
    UserTurn,
)
from lib.store.tables import Json, ModelCallRow

_MOST_KEPT = 256 * 1024
"""Characters of one call's input that are kept for inspection."""


class Prices(Protocol):
    """Says what the tokens of a model cost."""

    def cost(self, model: str, usage: Usage) -> float | None:
        """US dollars; None when nobody knows."""
        ...


@dataclass(slots=True)
class ModelCall:
    """One call while it goes on. Times are Unix milliseconds."""

    request: ModelRequest
    prices: Prices
    started_ms: int = field(default_factory=lambda: _now_ms())
    first_token_ms: int | None = None

    def saw_token(self) -> None:
        if self.first_token_ms is None:
            self.first_token_ms = _now_ms()

    def as_row(
        self, run_id: str, step_id: str | None, finished: Finished | None, error: ModelError | None
    ) -> ModelCallRow:
        return ModelCallRow(
            run_id=run_id,
            step_id=step_id,
            model=self.request.model,
            answered_by=finished.model if finished else None,
            finish_reason=finished.reason if finished else None,
            started_ms=self.started_ms,
            first_token_ms=self.first_token_ms,
            ended_ms=_now_ms(),
            usage=usage_json(finished.usage) if finished else None,
            cost=self.prices.cost(finished.model, finished.usage) if finished else None,
            error={"code": error.code, "message": error.message} if error else None,
            request=_request_text(self.request),
        )


def _request_text(request: ModelRequest) -> str:
    """The request as JSON text; of one that is very long, the newest turns."""
    turns = [_turn(turn) for turn in request.turns]
    dropped = 0
    while len(text := _dump(request, turns[dropped:], dropped)) > _MOST_KEPT:
        if dropped >= len(turns) - 1:
            return _dump(request, [], len(turns))
        dropped += (len(turns) - dropped + 1) // 2
    return text


def _dump(request: ModelRequest, turns: list[Json], dropped: int) -> str:
    told: Json = {
        "model": request.model,
        "instructions": request.instructions,
        "turns": turns,
        "tools": [
            {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
                "strict": tool.strict,
            }
            for tool in request.tools
        ],
        "tool_choice": request.tool_choice,
        "parallel_tool_calls": request.parallel_tool_calls,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "max_output_tokens": request.max_output_tokens,
        "response_format": request.response_format,
        "reasoning_effort": request.reasoning_effort,
    }
    if dropped:
        told["turns_not_kept"] = dropped
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def _turn(turn: Turn) -> Json:
    match turn:
        case UserTurn(parts):
            content = [
                _image(part) if isinstance(part, ImagePart) else {"type": "text", "text": part.text}
                for part in parts
            ]
            return {"role": "user", "content": content}
        case AssistantTurn(text):
            return {"role": "assistant", "content": text}
        case ToolRound(calls, outputs):
            return {
                "role": "tools",
                "calls": [
                    {
                        "id": call.id,
                        "name": call.name,
                        "arguments": call.arguments,
                        "output": output,
                    }
                    for call, output in zip(calls, outputs, strict=True)
                ],
            }


def _image(part: ImagePart) -> Json:
    if part.url.startswith("data:"):
        kind = part.url[5:].split(";", 1)[0]
        return {"type": "image", "url": f"[{kind}, {len(part.url):,} characters]"}
    return {"type": "image", "url": part.url, "detail": part.detail}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
