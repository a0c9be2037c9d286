"""What a cell shows: as a notebook would, in every kind of sandbox."""

import pytest

from lib.tools.code_interpreter.events import Done, Image, LogText
from lib.tools.code_interpreter.session import Session
from tests.tools.code_interpreter.conftest import run

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_value_of_the_last_expression_is_shown(session: Session) -> None:
    outcome = await run(session, "a = 20\na * 2 + 2")

    assert outcome.text == "42\n"
    assert outcome.done == Done(True, None, [])


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("x = 5", "an assignment has no value"),
        ("None", "None says nothing"),
        ("5;", "a semicolon hides the value"),
        ("", "an empty cell"),
        ("# nothing but a comment", "no statement at all"),
    ],
)
async def test_nothing_is_shown_when_there_is_nothing_to_show(
    session: Session, code: str, why: str
) -> None:
    outcome = await run(session, code)

    assert (outcome.text, outcome.done.ok) == ("", True), why


async def test_variables_functions_and_imports_stay_for_the_next_cell(session: Session) -> None:
    await run(session, "import math\ndef area(r): return math.pi * r ** 2\nradius = 2")

    outcome = await run(session, "round(area(radius), 3)")

    assert outcome.text == "12.566\n"


async def test_text_is_streamed_while_it_is_printed(session: Session) -> None:
    code = "import time\nfor i in range(3):\n    print('step', i)\n    time.sleep(0.3)"

    outcome = await run(session, code)

    pieces = [event.text for event in outcome.events if isinstance(event, LogText)]
    assert pieces == ["step 0\n", "step 1\n", "step 2\n"]


async def test_stderr_and_subprocesses_appear_in_order_with_prints(session: Session) -> None:
    code = (
        "import os, sys\nprint('one')\nprint('two', file=sys.stderr)\n"
        "os.system('echo three')\nprint('four');"
    )

    outcome = await run(session, code)

    assert outcome.text == "one\ntwo\nthree\nfour\n"


async def test_figures_appear_without_show(session: Session) -> None:
    outcome = await run(session, "import matplotlib.pyplot as plt\nplt.plot([1, 2, 4]);")

    assert len(outcome.images) == 1
    assert outcome.images[0].startswith(b"\x89PNG")


async def test_figures_appear_where_show_is_called_and_only_once(session: Session) -> None:
    code = (
        "import matplotlib.pyplot as plt\nprint('before')\nplt.plot([1])\nplt.show()\n"
        "print('after')\nplt.plot([2])\nplt.show()"
    )

    outcome = await run(session, code)

    kinds = [type(event) for event in outcome.events]
    assert kinds == [LogText, Image, LogText, Image, Done]


async def test_a_figure_can_be_saved_and_shown(session: Session) -> None:
    code = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.savefig('plot.png')"

    outcome = await run(session, code)

    assert list(outcome.files) == ["plot.png"]
    assert len(outcome.images) == 1


async def test_a_picture_as_last_value_appears_as_an_image(session: Session) -> None:
    outcome = await run(session, "from PIL import Image\nImage.new('RGB', (8, 8), 'red')")

    assert len(outcome.images) == 1
    assert outcome.text == ""


async def test_a_wide_data_frame_stays_readable(session: Session) -> None:
    code = "import pandas as pd\npd.DataFrame({f'column_{i}': range(200) for i in range(12)})"

    outcome = await run(session, code)

    lines = outcome.text.splitlines()
    assert "[200 rows x 12 columns]" in lines
    assert len(lines) < 60
    assert max(map(len, lines)) <= 120


async def test_a_traceback_names_the_users_lines_and_no_others(session: Session) -> None:
    code = "import json\ndef load(text):\n    return json.loads(text)\nload('{')"

    outcome = await run(session, code)

    assert outcome.text.splitlines()[:5] == [
        "Traceback (most recent call last):",
        '  File "<cell 1>", line 4, in <module>',
        "    load('{')",
        '  File "<cell 1>", line 3, in load',
        "    return json.loads(text)",
    ]
    assert "decoder.py" not in outcome.text
    assert (outcome.done.error or "").startswith("json.decoder.JSONDecodeError: Expecting")


async def test_a_traceback_shows_causes_that_the_user_wrote(session: Session) -> None:
    code = "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('bad') from e"

    outcome = await run(session, code)

    assert "ZeroDivisionError: division by zero" in outcome.text
    assert "direct cause" in outcome.text
    assert outcome.done.error == "ValueError: bad"


async def test_a_key_error_of_pandas_is_told_once(session: Session) -> None:
    outcome = await run(session, "import pandas as pd\npd.DataFrame({'a': [1]})['b']")

    assert outcome.text.count("KeyError: 'b'") == 1


async def test_a_syntax_error_points_at_the_place(session: Session) -> None:
    outcome = await run(session, "x = (1 +\nprint(2")

    assert "SyntaxError" in (outcome.done.error or "")
    assert 'File "<cell 1>"' in outcome.text
    assert "Traceback" not in outcome.text


@pytest.mark.parametrize(
    ("code", "error", "why"),
    [
        ("import sys; sys.exit(3)", "SystemExit: 3", "exit ends the cell, not the session"),
        ("input()", "EOFError: EOF when reading a line", "nobody can answer"),
        ("def f(): f()\nf()", "RecursionError: maximum recursion depth exceeded", "deep stack"),
        ("class E(Exception):\n  def __str__(s): 1/0\nraise E", "E: ", "an error that errs"),
        ("bytearray(1 << 40)", "MemoryError", "an allocation beyond the limit"),
        ("import numpy; numpy.ones(1 << 40)", "ArrayMemoryError", "the same by numpy"),
    ],
)
async def test_errors_are_told_and_variables_stay(
    session: Session, code: str, error: str, why: str
) -> None:
    await run(session, "kept = 'still here'")

    outcome = await run(session, code)
    after = await run(session, "kept")

    assert error.strip(": ") in (outcome.done.error or ""), why
    assert after.text == "'still here'\n", why


async def test_top_level_await_works(session: Session) -> None:
    outcome = await run(session, "import asyncio\nawait asyncio.sleep(0.01, 'slept')")

    assert outcome.text == "'slept'\n"


async def test_a_cell_that_forks_is_answered_once(session: Session) -> None:
    first = await run(session, "import os\nchild = os.fork() == 0\nif not child: os.wait();")
    second = await run(session, "1 + 1")

    assert first.done.ok
    assert second.text == "2\n"


async def test_classes_of_a_cell_can_be_pickled(session: Session) -> None:
    code = "import pickle\nclass Point: x = 3\npickle.loads(pickle.dumps(Point())).x"

    outcome = await run(session, code)

    assert outcome.text == "3\n"


async def test_absolute_paths_under_mnt_data_work_and_are_shown_as_such(session: Session) -> None:
    code = (
        "import os\nfrom pathlib import Path\nname = 'a.txt'\n"
        "Path('/mnt/data/a.txt').write_text('hello')\n"
        "print(open(f'/mnt/data/{name}').read(), os.listdir('/mnt/data'), os.getcwd())\n"
        "Path('/mnt/data') / name"
    )

    outcome = await run(session, code)

    assert outcome.text == "hello ['a.txt'] /mnt/data\nPosixPath('/mnt/data/a.txt')\n"


@pytest.mark.parametrize(
    "package",
    ["numpy", "pandas", "matplotlib", "scipy.stats", "PIL.Image", "pypdf", "openpyxl", "docx"],
)
async def test_the_promised_libraries_are_there(session: Session, package: str) -> None:
    outcome = await run(session, f"import {package}")

    assert outcome.done.ok, outcome.text


async def test_random_numbers_differ_between_sessions(session: Session) -> None:
    code = (
        "import random, numpy, os\nif os.fork() == 0:\n    os._exit(0)\nos.wait()\n"
        "print(random.random(), numpy.random.rand())"
    )

    first = await run(session, code)
    await session.close()
    second = await run(session, code)

    assert set(first.text.split()).isdisjoint(second.text.splitlines()[-1].split())
