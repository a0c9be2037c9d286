"""A finished run as OpenTelemetry spans, with the names and attributes that AgentOps knows.

Spans are made from the rows, after the run. Their ids follow from the run's id, so that sending
a trace twice, or in two goes, yields the same trace.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agentops.semconv import AgentOpsSpanKindValues as KIND_VALUES
from agentops.semconv import CoreAttributes as CORE
from agentops.semconv import SpanAttributes as SPAN
from agentops.semconv import SpanKind as KIND
from agentops.semconv import ToolAttributes as TOOL
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util.types import AttributeValue

from lib.masking import mask
from lib.observability.trace_ids import trace_id_of
from lib.store.tables import AssistantRow, Json, ModelCallRow, RunRow, StepRow

_SCOPE = InstrumentationScope("assistants-studio")
_FAILED = ("failed", "expired")
_MILLISECOND = 1_000_000

Attributes = dict[str, AttributeValue]


@dataclass(frozen=True, slots=True)
class RunTrace:
    """Everything that the spans of one run are made from."""

    run: RunRow
    assistant: AssistantRow | None
    steps: Sequence[StepRow]
    model_calls: Sequence[ModelCallRow]
    ended_ms: int
    """When the run's last event came."""


def spans_of(
    trace: RunTrace, resource: Resource, with_content: bool, secrets: Sequence[str] = ()
) -> list[ReadableSpan]:
    """All spans of a run, root first, and last the one that carries the run's final status.

    Content (instructions, prompts, tool input and output) is left out unless asked for; secrets
    are masked in it, and in errors.
    """
    return list(_Spans(trace, resource, with_content, secrets).all())


class _Spans:
    def __init__(
        self, trace: RunTrace, resource: Resource, with_content: bool, secrets: Sequence[str]
    ) -> None:
        self._trace = trace
        self._resource = resource
        self._with_content = with_content
        self._secrets = secrets
        self._trace_id = trace_id_of(trace.run.id)
        self._root = self._context("root")

    def all(self) -> Iterator[ReadableSpan]:
        run = self._trace.run
        started = run.created_at * 1000
        yield self._span(
            self._root,
            None,
            "assistant_run.session",
            started,
            self._trace.ended_ms,
            self._root_attributes(),
        )
        for call in self._trace.model_calls:
            yield self._model_span(call)
        for step in self._trace.steps:
            yield from self._step_spans(step)
        # AgentOps reads a trace's state off the span that started last.
        yield self._span(
            self._context("end"),
            self._root,
            "assistant_run.end",
            self._trace.ended_ms,
            self._trace.ended_ms,
            {SPAN.AGENTOPS_SPAN_KIND: KIND.TASK, "run.status": run.status},
        )

    def _root_attributes(self) -> Attributes:
        run = self._trace.run
        tags = [f"assistant:{run.assistant_id}", f"thread:{run.thread_id}", f"run:{run.id}"]
        own = (self._trace.assistant.metadata_ if self._trace.assistant else {}).get("tags", "")
        tags += [tag.strip() for tag in str(own).split(",") if tag.strip()]
        attributes: Attributes = {
            SPAN.AGENTOPS_SPAN_KIND: KIND_VALUES.SESSION.value,
            SPAN.AGENTOPS_ENTITY_NAME: "assistant_run",
            SPAN.AGENTOPS_SESSION_END_STATE: _end_state(run.status),
            CORE.TAGS: json.dumps(tags),
            "run.status": run.status,
        }
        return attributes | self._content({SPAN.AGENTOPS_ENTITY_INPUT: run.instructions})

    def _model_span(self, call: ModelCallRow) -> ReadableSpan:
        usage = call.usage or {}
        attributes: Attributes = {
            SPAN.AGENTOPS_SPAN_KIND: KIND.LLM,
            SPAN.LLM_SYSTEM: "openai",
            SPAN.LLM_REQUEST_MODEL: call.model,
            SPAN.LLM_RESPONSE_MODEL: call.answered_by or call.model,
            SPAN.LLM_REQUEST_STREAMING: True,
        }
        if usage:
            attributes |= {
                SPAN.LLM_USAGE_PROMPT_TOKENS: usage["prompt_tokens"],
                SPAN.LLM_USAGE_COMPLETION_TOKENS: usage["completion_tokens"],
                SPAN.LLM_USAGE_TOTAL_TOKENS: usage["total_tokens"],
                SPAN.LLM_USAGE_CACHE_READ_INPUT_TOKENS: usage["prompt_token_details"][
                    "cached_tokens"
                ],
                SPAN.LLM_USAGE_REASONING_TOKENS: usage["completion_tokens_details"][
                    "reasoning_tokens"
                ],
            }
        if call.finish_reason:
            attributes[SPAN.LLM_RESPONSE_FINISH_REASON] = call.finish_reason
        attributes |= self._content({SPAN.LLM_PROMPTS: call.request})
        return self._span(
            self._context(f"model:{call.position}"),
            self._root,
            "model.llm",
            call.started_ms,
            call.ended_ms,
            attributes,
            call.error,
        )

    def _step_spans(self, step: StepRow) -> Iterator[ReadableSpan]:
        context = self._context(step.id)
        started, ended = step.created_at * 1000, _ended_ms(step)
        yield self._span(
            context,
            self._root,
            f"run_step.{step.type}",
            started,
            ended,
            {SPAN.AGENTOPS_SPAN_KIND: KIND.TASK, "run_step.id": step.id},
            step.last_error,
        )
        for call in step.step_details.get("tool_calls", []):
            yield self._tool_span(step, call, context, started, ended)

    def _tool_span(
        self, step: StepRow, call: Json, parent: SpanContext, started: int, ended: int
    ) -> ReadableSpan:
        told = step.tool_outputs.get(call["id"], {})
        function = call.get("function") or {}
        name = function.get("name") or call["type"]
        content = {
            TOOL.TOOL_PARAMETERS: told.get("arguments") or function.get("arguments") or "",
            TOOL.TOOL_RESULT: told.get("output") or function.get("output") or "",
        }
        attributes: Attributes = {
            SPAN.AGENTOPS_SPAN_KIND: KIND.TOOL,
            TOOL.TOOL_NAME: name,
            TOOL.TOOL_ID: call["id"],
        }
        return self._span(
            self._context(call["id"]),
            parent,
            f"{name}.tool",
            told.get("started_ms") or started,
            told.get("ended_ms") or ended,
            attributes | self._content(content),
        )

    def _content(self, attributes: dict[str, str]) -> Attributes:
        if not self._with_content:
            return {}
        return {name: mask(text, self._secrets) for name, text in attributes.items()}

    def _context(self, part: str) -> SpanContext:
        digest = hashlib.sha256(f"span:{self._trace.run.id}:{part}".encode()).digest()
        span_id = int.from_bytes(digest[:8]) or 1
        return SpanContext(self._trace_id, span_id, False, TraceFlags(TraceFlags.SAMPLED))

    def _span(
        self,
        context: SpanContext,
        parent: SpanContext | None,
        name: str,
        started_ms: int,
        ended_ms: int,
        attributes: Attributes,
        error: Json | None = None,
    ) -> ReadableSpan:
        return ReadableSpan(
            name=name,
            context=context,
            parent=parent,
            resource=self._resource,
            attributes=attributes,
            kind=SpanKind.INTERNAL,
            status=self._status(
                error, is_part=name not in ("assistant_run.session", "assistant_run.end")
            ),
            start_time=started_ms * _MILLISECOND,
            end_time=max(started_ms, ended_ms) * _MILLISECOND,
            instrumentation_scope=_SCOPE,
        )

    def _status(self, error: Json | None, is_part: bool) -> Status:
        if is_part:
            return self._error(error["message"]) if error else Status(StatusCode.OK)
        run = self._trace.run
        if run.status in _FAILED:
            message = run.last_error["message"] if run.last_error else "The run expired."
            return self._error(message)
        return Status(StatusCode.OK) if run.status == "completed" else Status(StatusCode.UNSET)

    def _error(self, message: str) -> Status:
        return Status(StatusCode.ERROR, mask(message, self._secrets))


def _end_state(status: str) -> str:
    if status == "completed":
        return "Success"
    return "Fail" if status in _FAILED else "Indeterminate"


def _ended_ms(step: StepRow) -> int:
    ended = step.completed_at or step.failed_at or step.cancelled_at or step.expired_at
    return (ended or step.created_at) * 1000
