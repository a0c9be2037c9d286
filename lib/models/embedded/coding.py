"""Code for the Python tool, written as small coding models write best: in a Markdown block.

Asked for a call's JSON they write one crowded line and forget to print; asked for a block they
write a program.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator

from lib.models.embedded.completions import Done
from lib.models.embedded.rendering import turn_messages
from lib.models.provider import (
    FunctionTool,
    Json,
    ModelRequest,
    ToolCall,
    ToolRound,
)

CODE_TOOL = "code_interpreter"
OPENING = "```python\n"
END = "```"
_SYSTEM = (
    "You are a Python programmer. Write one code block that does what the user's last message "
    "asks for and shows the result with print(). The code is run as it stands: import all that "
    "is used, call every function that you define, and do not ask for input. A PDF file is read "
    "with pypdf:\n"
    "from pypdf import PdfReader\n"
    "pages = [page.extract_text() for page in PdfReader('/mnt/data/name.pdf').pages]\n"
    "print(len(pages), pages[0][:2000])\n"
    "A table is read with pandas; a figure is drawn with matplotlib and plt.show().\n\n"
)
_AGAIN = "\n\nGo on with code that does what was asked for."


def code_messages(request: ModelRequest, tool: FunctionTool) -> list[Json]:
    """The conversation, for the model to go on with a code block. Raises ModelError for images."""
    system = {"role": "system", "content": _SYSTEM + (tool.description or "")}
    messages = [system, *turn_messages(request.turns, _call, _output)]
    if isinstance(request.turns[-1], ToolRound):
        messages[-1]["content"] += _AGAIN
    return messages


async def as_arguments(pieces: AsyncIterator[str | Done]) -> AsyncGenerator[str | Done]:
    """The code that comes in pieces as pieces of the call's JSON."""
    yield '{"code": "'
    async for piece in pieces:
        if isinstance(piece, Done):
            yield '"}'
            yield piece
        else:
            yield json.dumps(piece, ensure_ascii=False)[1:-1]


def _call(call: ToolCall) -> str:
    if call.name != CODE_TOOL:
        return f"{call.name}({call.arguments})"
    return f"{OPENING}{_code(call.arguments)}\n{END}"


def _output(output: str) -> str:
    return f"Output:\n{output}"


def _code(arguments: str) -> str:
    try:
        return str(json.loads(arguments)["code"])
    except (ValueError, KeyError, TypeError):
        return arguments
