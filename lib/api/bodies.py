"""The parts that request bodies share, with the published limits. Unknown fields are ignored."""

import json
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    field_validator,
    model_validator,
)

from lib.engine.vector_stores import AUTO_CHUNKING

Json = dict[str, Any]

_DEEPEST = 100
"""Levels of a schema; every library that reads or writes JSON has a limit beyond that."""


def _check_schema(schema: Json) -> Json:
    """What json.loads lets through but cannot be kept: lone surrogates, NaN, endless nesting."""
    _check_depth(schema, _DEEPEST)
    try:
        json.dumps(schema, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        raise ValueError("the text is not valid Unicode.") from None
    except ValueError:
        raise ValueError("its numbers must be finite.") from None
    return schema


def _check_depth(value: Any, levels: int) -> None:
    if levels == 0:
        raise ValueError(f"it is nested more than {_DEEPEST} levels deep.")
    items = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict | list):
        for item in items:
            _check_depth(item, levels - 1)


Schema = Annotated[Json, AfterValidator(_check_schema)]

Metadata = Annotated[
    dict[
        Annotated[str, StringConstraints(max_length=64)],
        Annotated[str, StringConstraints(max_length=512)],
    ],
    Field(max_length=16),
]
Instructions = Annotated[str, Field(max_length=256_000)]
Temperature = Annotated[float, Field(ge=0.0, le=2.0)]
TopP = Annotated[float, Field(ge=0.0, le=1.0)]
SecondsToExpire = Annotated[int, Field(ge=1, le=30 * 24 * 3600)]
ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class Body(BaseModel):
    """A part of a request. Values are taken as sent, never converted from other types."""

    model_config = ConfigDict(strict=True, extra="ignore")


def _not_a_builtin_tool(name: str) -> str:
    if name in ("code_interpreter", "file_search"):
        raise ValueError(f"'{name}' is the name of a built-in tool. Choose another name.")
    return name


class CodeInterpreterTool(Body):
    type: Literal["code_interpreter"]


class RankingOptions(Body):
    score_threshold: float = Field(default=0.0, ge=0.0, le=1.0)
    ranker: Literal["auto", "default_2024_08_21"] = "default_2024_08_21"


class FileSearchOptions(Body):
    max_num_results: int | None = Field(default=None, ge=1, le=50)
    ranking_options: RankingOptions = Field(default_factory=RankingOptions)

    @field_validator("ranking_options", mode="before")
    @classmethod
    def _null_means_default(cls, value: Any) -> Any:
        return {} if value is None else value


class FileSearchTool(Body):
    type: Literal["file_search"]
    file_search: FileSearchOptions = Field(default_factory=FileSearchOptions)

    @field_validator("file_search", mode="before")
    @classmethod
    def _null_means_default(cls, value: Any) -> Any:
        return {} if value is None else value


class FunctionBody(Body):
    name: Annotated[
        str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$"), AfterValidator(_not_a_builtin_tool)
    ]
    description: str | None = None
    parameters: Schema | None = None
    strict: bool | None = False
    result_schema: Json | None = None
    """Extension: a JSON schema of the output, for the form in which a person answers."""
    run: Literal["ask", "auto"] | None = None
    """Extension: with `auto`, the server runs a function of FUNCTIONS_DIR without asking."""


class FunctionToolBody(Body):
    type: Literal["function"]
    function: FunctionBody


Tool = Annotated[
    CodeInterpreterTool | FileSearchTool | FunctionToolBody, Field(discriminator="type")
]


class TextFormat(Body):
    type: Literal["text"]


class JsonObjectFormat(Body):
    type: Literal["json_object"]


class JsonSchemaBody(Body):
    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    description: str | None = None
    schema_: Schema | None = Field(default=None, alias="schema")
    strict: bool | None = False


class JsonSchemaFormat(Body):
    type: Literal["json_schema"]
    json_schema: JsonSchemaBody


def kind_of_choice(value: object) -> str:
    """Many options are a word or an object: tells which was meant, for errors that fit."""
    return "object" if isinstance(value, dict | BaseModel) else "word"


ResponseFormat = Annotated[
    Annotated[Literal["auto"], Tag("word")]
    | Annotated[
        Annotated[TextFormat | JsonObjectFormat | JsonSchemaFormat, Field(discriminator="type")],
        Tag("object"),
    ],
    Discriminator(kind_of_choice),
]


class CodeInterpreterResources(Body):
    file_ids: list[str] = Field(default_factory=list, max_length=20)


class StaticChunking(Body):
    max_chunk_size_tokens: int = Field(ge=100, le=4096)
    chunk_overlap_tokens: int = Field(ge=0)

    @model_validator(mode="after")
    def _overlap_is_at_most_half(self) -> "StaticChunking":
        if self.chunk_overlap_tokens > self.max_chunk_size_tokens // 2:
            raise ValueError(
                "'chunk_overlap_tokens' must not exceed half of 'max_chunk_size_tokens'."
            )
        return self


class StaticChunkingStrategy(Body):
    type: Literal["static"]
    static: StaticChunking


class AutoChunkingStrategy(Body):
    type: Literal["auto"]


ChunkingStrategy = Annotated[
    AutoChunkingStrategy | StaticChunkingStrategy, Field(discriminator="type")
]


class NewVectorStoreHelper(Body):
    file_ids: list[str] = Field(default_factory=list, max_length=10_000)
    chunking_strategy: ChunkingStrategy | None = None
    metadata: Metadata | None = None


class FileSearchResources(Body):
    vector_store_ids: list[str] = Field(default_factory=list, max_length=1)
    vector_stores: list[NewVectorStoreHelper] | None = Field(default=None, max_length=1)

    @model_validator(mode="after")
    def _either_ids_or_new_stores(self) -> "FileSearchResources":
        if self.vector_store_ids and self.vector_stores:
            raise ValueError("set either 'vector_store_ids' or 'vector_stores', not both.")
        return self


class ToolResources(Body):
    code_interpreter: CodeInterpreterResources | None = None
    file_search: FileSearchResources | None = None


def tools_as_json(tools: list[Tool]) -> list[Json]:
    """Tools as the API echoes them: defaults filled in."""
    return [_tool_as_json(tool) for tool in tools]


def resources_as_json(resources: ToolResources | None) -> Json:
    """Tool resources as sent, for `resolve_resources` to make what they ask for."""
    if resources is None:
        return {}
    sections = resources.model_dump(exclude_none=True)
    search = resources.file_search
    for wanted, body in zip(
        sections.get("file_search", {}).get("vector_stores", []),
        search.vector_stores or [] if search else [],
        strict=True,
    ):
        wanted["chunking_strategy"] = chunking_as_json(body.chunking_strategy)
    return sections


def chunking_as_json(strategy: ChunkingStrategy | None) -> Json:
    """A chunking strategy as the API echoes it: what `auto` stands for is said."""
    return strategy.model_dump() if isinstance(strategy, StaticChunkingStrategy) else AUTO_CHUNKING


def format_as_json(response_format: ResponseFormat | None) -> Any:
    if response_format is None or isinstance(response_format, str):
        return response_format
    return response_format.model_dump(by_alias=True, exclude_unset=True)


def _tool_as_json(tool: Tool) -> Json:
    match tool:
        case FunctionToolBody(function=function):
            sent = function.model_dump(exclude_unset=True, exclude_none=True)
            return {"type": "function", "function": {**sent, "strict": bool(function.strict)}}
    return tool.model_dump(exclude_none=True)
