import json
from collections.abc import AsyncIterator

from lib.models.embedded.coding import OPENING, as_arguments, code_messages
from lib.models.embedded.completions import Done
from lib.models.provider import (
    FunctionTool,
    ModelRequest,
    TextPart,
    ToolCall,
    ToolRound,
    Turn,
    Usage,
    UserTurn,
)

CODE = FunctionTool("code_interpreter", "Runs Python. Files in /mnt/data: a.csv.", {})
QUESTION = UserTurn([TextPart("How many rows has a.csv?")])


def request(*turns: Turn) -> ModelRequest:
    return ModelRequest("any", "Be brief.", [QUESTION, *turns], [CODE])


def round_of(code: str, output: str) -> ToolRound:
    return ToolRound([ToolCall("call_1", "code_interpreter", json.dumps({"code": code}))], [output])


async def test_pieces_of_code_make_up_the_calls_arguments() -> None:
    async def pieces() -> AsyncIterator[str | Done]:
        for piece in ('print("', "ä\n\\", '")\n'):
            yield piece
        yield Done(False, Usage(1, 1))

    told = [piece async for piece in as_arguments(pieces())]

    text = "".join(piece for piece in told if isinstance(piece, str))
    assert json.loads(text) == {"code": 'print("ä\n\\")\n'}
    assert isinstance(told[-1], Done)


def test_earlier_code_is_shown_as_a_block_with_its_output() -> None:
    messages = code_messages(request(round_of("print(1)", "1")), CODE)

    assert "Files in /mnt/data: a.csv." in messages[0]["content"]
    assert messages[1] == {"role": "user", "content": "How many rows has a.csv?"}
    assert messages[2] == {"role": "assistant", "content": f"{OPENING}print(1)\n```"}
    assert messages[3]["content"].startswith("Output:\n1")
