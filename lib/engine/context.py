"""What the model is shown: a thread, as the run's settings want it, within the token budget."""

import mimetypes
from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from lib.models.provider import (
    AssistantTurn,
    ImagePart,
    TextPart,
    ToolCall,
    ToolRound,
    Turn,
    UserTurn,
)
from lib.store.blobs import Blobs
from lib.store.tables import FileRow, Json, MessageRow, RunRow, StepRow

_MAX_MESSAGES = 1000
"""The newest messages that are looked at; no context window holds more of any use."""
_NEWEST_MESSAGES = (
    select(MessageRow)
    .where(MessageRow.thread_id == bindparam("thread_id"))
    .order_by(MessageRow.position.desc())
    .limit(_MAX_MESSAGES)
)

TokenCounter = Callable[[str], Awaitable[int]]

_TOKENS_PER_TURN = 8
"""Room for the marks that a chat template puts around a turn."""


class PromptTooLongError(Exception):
    """Even the newest message alone does not fit the budget."""


@dataclass(frozen=True, slots=True)
class History:
    """A thread as turns. The last `kept` turns are this run's own and its question: never cut."""

    turns: list[Turn]
    kept: int
    tool_steps: list[StepRow] = field(default_factory=list)
    """This run's finished tool calls, oldest first."""
    fresh: int = 0
    """How many of them, at the end, no message has followed yet."""


def read_history(session: Session, run: RunRow, blobs: Blobs) -> History:
    """The thread as the run sees it: newest messages by its truncation_strategy, oldest first."""
    messages = _newest_messages(session, run)
    steps = _steps(session, run, messages)
    rounds, unanswered = _tool_rounds(run, steps)
    turns: list[Turn] = []
    kept_from = 0
    for message in messages:
        turns.extend(rounds.pop(message.id, []))
        if turn := _turn_of(session, message, blobs):
            turns.append(turn)
        if message.role == "user":
            kept_from = max(len(turns) - 1, 0)
    turns.extend(unanswered)
    own = [step for step in steps if step.run_id == run.id and tool_round_of(step)]
    return History(turns, len(turns) - kept_from, own, len(unanswered))


async def fit(history: History, fixed: str, budget: int | None, count: TokenCounter) -> list[Turn]:
    """The turns that fit a prompt of `budget` tokens beside `fixed`, dropping the oldest first.

    Raises PromptTooLongError when not even the part that must be kept fits.
    """
    if budget is None:
        return history.turns
    left = budget - await count(fixed)
    kept: list[Turn] = []
    for distance, turn in enumerate(reversed(history.turns)):
        left -= await count(_text_of(turn)) + _TOKENS_PER_TURN
        if left < 0:
            if distance < history.kept:
                raise PromptTooLongError
            break
        kept.append(turn)
    return kept[::-1]


def halve(history: History) -> History | None:
    """A history with half of what may be dropped; None when nothing is left to drop."""
    droppable = len(history.turns) - history.kept
    if droppable <= 0:
        return None
    return replace(history, turns=history.turns[(droppable + 1) // 2 :])


def _newest_messages(session: Session, run: RunRow) -> list[MessageRow]:
    """What the run may see, oldest first: its own messages, and the newest of the others."""
    messages = list(session.scalars(_NEWEST_MESSAGES, {"thread_id": run.thread_id}))
    if run.truncation_strategy["type"] == "last_messages":
        others = [message for message in messages if message.run_id != run.id]
        too_old = {message.id for message in others[run.truncation_strategy["last_messages"] :]}
        messages = [message for message in messages if message.id not in too_old]
    return messages[::-1]


def _steps(session: Session, run: RunRow, messages: list[MessageRow]) -> list[StepRow]:
    """The steps of every run that speaks in these messages, and of this one, oldest first."""
    run_ids = {message.run_id for message in messages if message.run_id}
    if run.usage is not None:
        run_ids.add(run.id)
    if not run_ids:
        return []
    query = select(StepRow).where(StepRow.thread_id == run.thread_id, StepRow.run_id.in_(run_ids))
    return list(session.scalars(query.order_by(StepRow.position)))


def _tool_rounds(run: RunRow, steps: list[StepRow]) -> tuple[dict[str, list[Turn]], list[Turn]]:
    """The tool rounds before each message, by message id; and this run's that none has followed."""
    rounds: dict[str, list[Turn]] = {}
    waiting: dict[str, list[Turn]] = {}
    for step in steps:
        if step.type == "message_creation":
            message_id = step.step_details["message_creation"]["message_id"]
            rounds[message_id] = waiting.pop(step.run_id, [])
        elif tool_round := tool_round_of(step):
            waiting.setdefault(step.run_id, []).append(tool_round)
    return rounds, waiting.get(run.id, [])


def tool_round_of(step: StepRow) -> ToolRound | None:
    """A finished tool calls' step as the model sees it."""
    if step.type != "tool_calls" or step.status != "completed":
        return None
    calls: list[ToolCall] = []
    outputs: list[str] = []
    has_result = True
    for call in step.step_details["tool_calls"]:
        if call["type"] == "function":
            function = call["function"]
            calls.append(ToolCall(call["id"], function["name"], function["arguments"]))
            outputs.append(function["output"] or "")
            has_result = True
        elif told := step.tool_outputs.get(call["id"]):
            calls.append(ToolCall(call["id"], call["type"], told["arguments"]))
            outputs.append(told["output"])
            has_result = told.get("has_result", True)
    return ToolRound(calls, outputs, step.replay, has_result) if calls else None


def _turn_of(session: Session, message: MessageRow, blobs: Blobs) -> Turn | None:
    if message.role == "assistant":
        text = "\n".join(filter(None, (_text_in(part) for part in message.content)))
        return AssistantTurn(text) if text else None
    return UserTurn([_part_of(session, part, blobs) for part in message.content])


def _text_in(part: Json) -> str:
    if part["type"] == "text":
        return _without_citations(part["text"])
    return str(part.get("refusal", ""))


def _without_citations(text: Json) -> str:
    """What was said, without markers: a model would repeat them where they refer to nothing."""
    value: str = text["value"]
    cited = [item for item in text["annotations"] if item["type"] == "file_citation"]
    for item in sorted(cited, key=lambda item: -item["start_index"]):
        value = value[: item["start_index"]] + value[item["end_index"] :]
    return value


def _part_of(session: Session, part: Json, blobs: Blobs) -> TextPart | ImagePart:
    match part["type"]:
        case "image_url":
            image = part["image_url"]
            return ImagePart(image["url"], image.get("detail") or "auto")
        case "image_file":
            return _image_of(session, part["image_file"], blobs)
    return TextPart(_text_in(part))


def _image_of(session: Session, image: Json, blobs: Blobs) -> TextPart | ImagePart:
    file = session.scalar(select(FileRow).where(FileRow.id == image["file_id"]))
    if file is None:
        return TextPart(f"[The image {image['file_id']} was deleted.]")
    media_type, _ = mimetypes.guess_type(file.filename)
    data = b64encode(blobs.path(file.sha256).read_bytes()).decode()
    url = f"data:{media_type or 'image/png'};base64,{data}"
    return ImagePart(url, image.get("detail") or "auto")


def _text_of(turn: Turn) -> str:
    match turn:
        case UserTurn(parts):
            return "\n".join(part.text for part in parts if isinstance(part, TextPart))
        case AssistantTurn(text):
            return text
        case ToolRound(calls, outputs):
            said = [call.name + call.arguments for call in calls]
            return "\n".join([*said, *outputs])
