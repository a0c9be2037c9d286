"""What the model says, shaped by every tool of the run: citations, links, images."""

from collections.abc import Sequence

from lib.engine.builtin.protocol import Addition, Shaper
from lib.store.tables import Json


class Answer:
    """One message's shaping. Shapers come one after the other: the next reads what one wrote."""

    def __init__(self, shapers: Sequence[Shaper]) -> None:
        self._shapers = shapers
        self._said = ""

    def opening(self) -> list[Json]:
        return [part for shaper in self._shapers for part in shaper.opening()]

    def feed(self, text: str) -> Addition:
        annotations: list[Json] = []
        for shaper in self._shapers:
            addition = shaper.feed(text)
            text = addition.text
            annotations += addition.annotations
        self._said += text
        return Addition(text, annotations)

    def finish(self) -> Addition:
        """What is left to say: text held back, annotations that need the whole."""
        rest, annotations = "", list[Json]()
        for shaper in self._shapers:
            addition = shaper.finish(self._said)
            self._said += addition.text
            rest += addition.text
            annotations += addition.annotations
        return Addition(rest, annotations)

    def attachments(self) -> list[Json]:
        return [
            attachment for shaper in self._shapers for attachment in shaper.attachments(self._said)
        ]
