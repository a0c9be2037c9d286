"""A run's progress, folded from its events one by one."""

from dataclasses import dataclass, field

from openai.types.beta import AssistantStreamEvent
from openai.types.beta.threads import Message, MessageDeltaEvent, Run
from openai.types.beta.threads.runs import RunStep, RunStepDeltaEvent

from lib.dashboard.code_calls import CodeCall, code_calls_of, grow
from lib.dashboard.run_words import ACTIVE


@dataclass
class RunProgress:
    """What is known of a run so far. Folding the same events again gives the same progress."""

    run: Run | None = None
    texts: dict[str, str] = field(default_factory=dict)
    """The text of every message of the run so far, by message id, in the order of appearance."""
    steps: dict[str, RunStep] = field(default_factory=dict)
    """The steps as of their last complete event, by step id, in order."""
    cells: dict[str, dict[int, CodeCall]] = field(default_factory=dict)
    """What Code Interpreter was given and what came of it, by step id and index of the call."""

    @property
    def rests(self) -> bool:
        """True when nothing more comes by itself: the run ended or waits for function outputs."""
        return self.run is not None and self.run.status not in ACTIVE

    def take(self, event: AssistantStreamEvent) -> None:
        """Take in the next event; events that carry nothing to show are passed over."""
        data = event.data
        if isinstance(data, Run):
            self.run = data
        elif isinstance(data, RunStep):
            self._take_step(data)
        elif isinstance(data, RunStepDeltaEvent):
            grow(self.cells.setdefault(data.id, {}), data)
        elif isinstance(data, Message):
            self._take_message(data)
        elif isinstance(data, MessageDeltaEvent):
            self.texts[data.id] = self.texts.get(data.id, "") + _new_text(data)

    def _take_step(self, step: RunStep) -> None:
        self.steps[step.id] = step
        if calls := code_calls_of(step):
            self.cells[step.id] = dict(enumerate(calls))

    def _take_message(self, message: Message) -> None:
        text = message_text(message)
        if text or message.id not in self.texts:
            self.texts[message.id] = text


def message_text(message: Message) -> str:
    """The text blocks of a message, one paragraph each."""
    return "\n\n".join(block.text.value for block in message.content if block.type == "text")


def _new_text(delta: MessageDeltaEvent) -> str:
    blocks = delta.delta.content or []
    return "".join(
        block.text.value or ""
        for block in blocks
        if block.type == "text" and block.text is not None
    )
