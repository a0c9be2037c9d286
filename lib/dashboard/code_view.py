"""Code Interpreter on the screen: the code, what it printed, the images it made."""

from collections.abc import Collection, Sequence
from typing import Literal

import openai
import streamlit as st
from openai import OpenAI
from streamlit.delta_generator import DeltaGenerator
from streamlit.elements.lib.mutable_status_container import StatusContainer

from lib.dashboard.code_calls import CodeCall, CodeOutput
from lib.dashboard.errors import sentence_for
from lib.dashboard.file_cards import show_image

LINES_AT_ONCE = 20
HEIGHT_WHEN_LONG = 420
IMAGE_ALT = "Figure made by the code"


def show_code_calls(
    client: OpenAI, calls: Sequence[CodeCall], shown_elsewhere: Collection[str] = ()
) -> None:
    """Cells that are over, each behind one line. Images shown elsewhere are left out."""
    for call in calls:
        with st.status(label_of(call), state=call.state, type="step"):
            show_cell(client, call, shown_elsewhere)


def show_cell(client: OpenAI, call: CodeCall, shown_elsewhere: Collection[str] = ()) -> None:
    """The code and its outputs, in the order in which they came."""
    _code(call.code)
    for output in call.outputs:
        if output.image_id not in shown_elsewhere:
            _output(client, output)


def label_of(call: CodeCall) -> str:
    """What is being done, or was done, in a few words."""
    match call.state:
        case "running":
            return ":shimmer[Working in Python]"
        case "error":
            return "Python code, stopped by an error"
        case "complete":
            return "Ran Python code"


class LiveCell:
    """A cell that is drawn again whenever there is more of it."""

    def __init__(self, client: OpenAI, place: DeltaGenerator) -> None:
        self._client = client
        self._status: StatusContainer = place.status(
            ":shimmer[Working in Python]", type="step", expanded=True
        )
        self._code = self._status.empty()
        self._outputs: list[DeltaGenerator] = []
        self._drawn = CodeCall()
        self._shown_state = "running"

    def draw(self, call: CodeCall) -> None:
        if call.code != self._drawn.code:
            with self._code:
                _code(call.code)
        for index, output in enumerate(call.outputs):
            self._draw_output(index, output)
        self._drawn = CodeCall(call.code, [_copy(output) for output in call.outputs])
        if call.state != self._shown_state:
            self._shown_state = call.state
            self._status.update(label=label_of(call), state=call.state)

    def _draw_output(self, index: int, output: CodeOutput) -> None:
        before = self._drawn.outputs[index] if index < len(self._drawn.outputs) else None
        if output == before:
            return
        if index == len(self._outputs):
            self._outputs.append(self._status.empty())
        with self._outputs[index].container():
            _output(self._client, output)


def _code(code: str) -> None:
    if code:
        st.code(code, language="python", wrap_lines=True, height=_height(code))


def _output(client: OpenAI, output: CodeOutput) -> None:
    if output.logs.strip():
        # As plain text: what code prints is nobody's Markdown and nobody's page.
        st.code(output.logs.rstrip(), language=None, height=_height(output.logs))
    if output.image_id:
        try:
            show_image(client, output.image_id, IMAGE_ALT)
        except openai.OpenAIError as error:
            st.caption(sentence_for(error))


def _height(text: str) -> int | Literal["content"]:
    return HEIGHT_WHEN_LONG if text.count("\n") >= LINES_AT_ONCE else "content"


def _copy(output: CodeOutput) -> CodeOutput:
    return CodeOutput(output.logs, output.image_id)
