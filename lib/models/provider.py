"""What the engine asks of a model and what comes back, in terms of no particular endpoint."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Json = dict[str, Any]
ErrorCode = Literal["server_error", "rate_limit_exceeded", "invalid_prompt"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


@dataclass(frozen=True, slots=True)
class TextPart:
    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image for a model that sees: a web address or a data URL."""

    url: str
    detail: str = "auto"


@dataclass(frozen=True, slots=True)
class UserTurn:
    parts: list[TextPart | ImagePart]


@dataclass(frozen=True, slots=True)
class AssistantTurn:
    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    id: str
    name: str
    arguments: str
    """As the model wrote them: usually a JSON object, not necessarily a valid one."""


@dataclass(frozen=True, slots=True)
class ToolRound:
    """Calls that the model made in one reply, each with the output it got."""

    calls: list[ToolCall]
    outputs: list[str]
    replay: list[Json] = field(default_factory=list)
    """Opaque items the provider wants back before the calls (a reasoning model's own)."""
    has_result: bool = True
    """False where the last call failed or showed nothing, so that another try is due."""


Turn = UserTurn | AssistantTurn | ToolRound


@dataclass(frozen=True, slots=True)
class FunctionTool:
    name: str
    description: str | None
    parameters: Json
    strict: bool = False
    files: tuple[str, ...] = ()
    """Names of files that the tool reads; the description tells them too."""


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call of a model. `model` is the name the endpoint knows."""

    model: str
    instructions: str
    turns: list[Turn]
    tools: list[FunctionTool] = field(default_factory=list)
    tool_choice: str | Json = "auto"
    """`none`, `auto`, `required`, or `{"type": "function", "function": {"name": …}}`."""
    parallel_tool_calls: bool = True
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    response_format: str | Json | None = None
    """None or `auto` for text; else the API's own `{"type": "json_object" | "json_schema" …}`."""
    reasoning_effort: str | None = None


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class RefusalDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ToolCallStarted:
    """`index` counts the calls of one reply from 0."""

    index: int
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class ToolCallArgumentsDelta:
    index: int
    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens. `cached` is a part of `prompt`, `reasoning` a part of `completion`."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    reasoning: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.prompt + other.prompt,
            self.completion + other.completion,
            self.cached + other.cached,
            self.reasoning + other.reasoning,
        )


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of every reply. `model` is the name of the model that answered."""

    reason: FinishReason
    usage: Usage
    model: str
    replay: list[Json] = field(default_factory=list)


ModelEvent = TextDelta | RefusalDelta | ToolCallStarted | ToolCallArgumentsDelta | Finished


class ModelError(Exception):
    """The model could not answer. `code` becomes the run's `last_error.code`.

    The text is shown to people: it says what failed and what to do, and never carries a key.
    """

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code: ErrorCode = code
        self.message = message


class ContextTooLongError(ModelError):
    """The input does not fit the model's context window; a shorter one may."""

    def __init__(self, message: str) -> None:
        super().__init__("invalid_prompt", message)


@dataclass(frozen=True, slots=True)
class ModelInfo:
    id: str
    created: int
    owned_by: str


class ModelProvider(Protocol):
    """A place where models answer. Implementations: responses, chat_completions, embedded."""

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Answer one request, ending with `Finished`. Raises ModelError."""
        ...

    async def list_models(self) -> list[ModelInfo]:
        """The models that can be asked for. Raises ModelError when the endpoint does not say."""
        ...

    async def context_window(self, model: str) -> int | None:
        """Tokens that the model can hold, prompt and answer together; None when unknown."""
        ...

    async def count_tokens(self, text: str) -> int:
        """Tokens in the text: exact where the model's tokenizer is at hand, else an estimate."""
        ...

    async def close(self) -> None: ...
