"""Runs: create, list, retrieve, modify, cancel, submit tool outputs; and all runs of the server."""

from collections.abc import Coroutine
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Response
from pydantic import Discriminator, Field, Tag, model_validator
from sqlalchemy.orm import Session

from lib.api.bodies import (
    Body,
    Instructions,
    Json,
    Metadata,
    ReasoningEffort,
    ResponseFormat,
    SecondsToExpire,
    Temperature,
    Tool,
    ToolResources,
    TopP,
    format_as_json,
    kind_of_choice,
    resources_as_json,
    tools_as_json,
)
from lib.api.dependencies import EngineDep, StoreDep, WithResultContent
from lib.api.listed_runs import listed_run
from lib.api.messages import MessageBody, MetadataChanges
from lib.api.replies import Paging, list_reply, object_reply, texts_reply
from lib.api.run_filters import MAX_INTEGER, Filters
from lib.api.sse import live_stream, replayed_stream
from lib.api.threads import NewThread
from lib.engine.engine import Engine
from lib.engine.runs import NewRun, ToolOutput
from lib.store.ids import new_id
from lib.store.queries import find, list_thread_runs
from lib.store.run_queries import RunSort, list_runs
from lib.store.tables import RunRow

router = APIRouter(tags=["Runs"])

TokenLimit = Annotated[int, Field(ge=256, le=2**31 - 1)]


class TruncationStrategy(Body):
    type: Literal["auto", "last_messages"]
    last_messages: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _last_messages_needs_a_number(self) -> "TruncationStrategy":
        if self.type == "last_messages" and self.last_messages is None:
            raise ValueError("'last_messages' must be set when 'type' is 'last_messages'.")
        return self


class NamedFunction(Body):
    name: str


class NamedToolChoice(Body):
    type: Literal["function", "code_interpreter", "file_search"]
    function: NamedFunction | None = None

    @model_validator(mode="after")
    def _function_needs_a_name(self) -> "NamedToolChoice":
        if self.type == "function" and self.function is None:
            raise ValueError("'function' must name a function when 'type' is 'function'.")
        return self


ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("word")]
    | Annotated[NamedToolChoice, Tag("object")],
    Discriminator(kind_of_choice),
]


class RunFields(Body):
    assistant_id: str
    model: str | None = None
    instructions: Instructions | None = None
    tools: list[Tool] | None = Field(default=None, max_length=20)
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    max_prompt_tokens: TokenLimit | None = None
    max_completion_tokens: TokenLimit | None = None
    truncation_strategy: TruncationStrategy | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: ReasoningEffort | None = None
    stream: bool | None = None
    expires_after: SecondsToExpire | None = None

    def as_new_run(self) -> NewRun:
        return NewRun(
            assistant_id=self.assistant_id,
            model=self.model,
            instructions=self.instructions,
            tools=None if self.tools is None else tools_as_json(self.tools),
            metadata=dict(self.metadata or {}),
            temperature=self.temperature,
            top_p=self.top_p,
            max_prompt_tokens=self.max_prompt_tokens,
            max_completion_tokens=self.max_completion_tokens,
            truncation_strategy=_as_json(self.truncation_strategy),
            tool_choice=_choice_as_json(self.tool_choice),
            parallel_tool_calls=self.parallel_tool_calls,
            response_format=format_as_json(self.response_format),
            reasoning_effort=self.reasoning_effort,
            expires_after=self.expires_after,
        )


class NewRunBody(RunFields):
    additional_instructions: Instructions | None = None
    additional_messages: list[MessageBody] | None = None

    def as_new_run(self) -> NewRun:
        messages = [message.as_new_message() for message in self.additional_messages or []]
        return replace(
            super().as_new_run(),
            additional_instructions=self.additional_instructions,
            additional_messages=messages,
        )


class NewThreadAndRun(RunFields):
    thread: NewThread | None = None
    tool_resources: ToolResources | None = None


class ToolOutputBody(Body):
    tool_call_id: str
    output: str = ""
    answered_by: str | None = Field(default=None, max_length=256)
    """Extension: who answered; the step keeps it, with the time."""


class ToolOutputs(Body):
    tool_outputs: list[ToolOutputBody]
    stream: bool | None = None


@router.post("/threads/runs")
async def create_thread_and_run(
    body: NewThreadAndRun, engine: EngineDep, with_content: WithResultContent
) -> Response:
    run_id = new_id("run_")
    thread = body.thread or NewThread()
    resources = {
        **resources_as_json(thread.tool_resources),
        **resources_as_json(body.tool_resources),
    }
    create = engine.create_thread_and_run(
        run_id,
        body.as_new_run(),
        dict(thread.metadata or {}),
        resources,
        [message.as_new_message() for message in thread.messages or []],
    )
    return await _run_reply(engine, run_id, create, body.stream, with_content)


@router.post("/threads/{thread_id}/runs")
async def create_run(
    thread_id: str, body: NewRunBody, engine: EngineDep, with_content: WithResultContent
) -> Response:
    """Queue a run; a busy thread refuses it."""
    run_id = new_id("run_")
    create = engine.create_run(run_id, thread_id, body.as_new_run())
    return await _run_reply(engine, run_id, create, body.stream, with_content)


@router.get("/threads/{thread_id}/runs")
async def get_thread_runs(thread_id: str, paging: Paging, store: StoreDep) -> Response:
    return list_reply(
        await store.read(lambda session: list_thread_runs(session, thread_id, paging))
    )


@router.get("/runs", tags=["Extensions"])
async def get_runs(
    wanted: Filters,
    paging: Paging,
    store: StoreDep,
    sort: Annotated[RunSort, Query(description="`order` says in which direction.")] = "created_at",
) -> Response:
    """Extension: all runs, with the model that answered, titles, steps, times and cost."""
    runs, has_more = await store.read(lambda session: list_runs(session, wanted, paging, sort))
    return texts_reply([item.run.id for item in runs], map(listed_run, runs), has_more)


@router.get("/runs/{run_id}", tags=["Extensions"])
async def retrieve_run_of_any_thread(run_id: str, store: StoreDep) -> Response:
    """Extension: a run by its id alone, as links name it."""
    return object_reply(await store.read(lambda session: find(session, RunRow, run_id)))


@router.get("/threads/{thread_id}/runs/{run_id}")
async def retrieve_run(thread_id: str, run_id: str, store: StoreDep) -> Response:
    return object_reply(
        await store.read(lambda session: find(session, RunRow, run_id, thread_id=thread_id))
    )


@router.post("/threads/{thread_id}/runs/{run_id}")
async def modify_run(
    thread_id: str, run_id: str, body: MetadataChanges, store: StoreDep
) -> Response:
    def modify(session: Session) -> RunRow:
        row = find(session, RunRow, run_id, thread_id=thread_id)
        if "metadata" in body.model_fields_set:
            row.metadata_ = dict(body.metadata or {})
        return row

    return object_reply(await store.write(modify))


@router.post("/threads/{thread_id}/runs/{run_id}/cancel")
async def cancel_run(thread_id: str, run_id: str, engine: EngineDep) -> Response:
    return object_reply(await engine.cancel_run(thread_id, run_id))


@router.post("/threads/{thread_id}/runs/{run_id}/submit_tool_outputs")
async def submit_tool_outputs(
    thread_id: str,
    run_id: str,
    body: ToolOutputs,
    engine: EngineDep,
    with_content: WithResultContent,
) -> Response:
    outputs = [
        ToolOutput(item.tool_call_id, item.output, item.answered_by) for item in body.tool_outputs
    ]
    submit = engine.submit_tool_outputs(thread_id, run_id, outputs)
    return await _run_reply(engine, run_id, submit, body.stream, with_content)


@router.get("/threads/{thread_id}/runs/{run_id}/events", tags=["Extensions"])
async def stream_run_events(
    thread_id: str,
    run_id: str,
    store: StoreDep,
    engine: EngineDep,
    with_content: WithResultContent,
    last_event_id: Annotated[int, Header(ge=0, le=MAX_INTEGER)] = 0,
) -> Response:
    """Extension: all events of a run, from the first or after `Last-Event-ID`, then live."""
    await store.read(lambda session: find(session, RunRow, run_id, thread_id=thread_id))
    return replayed_stream(engine.log, run_id, last_event_id, with_content)


async def _run_reply(
    engine: Engine,
    run_id: str,
    change: Coroutine[Any, Any, RunRow],
    stream: bool | None,
    with_content: bool,
) -> Response:
    """Make the change and answer with the run, or with its events from the change on."""
    if not stream:
        return object_reply(await change)
    subscription = engine.log.subscribe(run_id)
    try:
        await change
    except BaseException:
        engine.log.unsubscribe(run_id, subscription)
        raise
    return live_stream(engine.log, run_id, subscription, with_content)


def _as_json(strategy: TruncationStrategy | None) -> Json | None:
    return strategy.model_dump() if strategy else None


def _choice_as_json(choice: str | NamedToolChoice | None) -> str | Json | None:
    if isinstance(choice, NamedToolChoice):
        return choice.model_dump(exclude_none=True)
    return choice
