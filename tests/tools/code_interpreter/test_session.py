"""A session's life: limits, loss, idleness and files, in every kind of sandbox."""

import asyncio
from pathlib import Path

import pytest

from lib.tools.code_interpreter.events import Done, LogText
from lib.tools.code_interpreter.interpreter import CodeInterpreter
from lib.tools.code_interpreter.sandbox.probe import Tier
from lib.tools.code_interpreter.sandbox.protocol import SandboxError
from lib.tools.code_interpreter.session import Session
from tests.tools.code_interpreter.conftest import LIMITS, run

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_timeout_stops_the_cell_and_keeps_variables(session: Session) -> None:
    await run(session, "kept = 1")

    stopped = await run(session, "while True: pass", wall_seconds=0.5)
    after = await run(session, "kept")

    assert stopped.done.error == "stopped after 0.5 seconds"
    assert "Variables are kept" in stopped.text
    assert after.text == "1\n"


async def test_code_that_ignores_the_interrupt_is_killed_and_the_next_cell_says_so(
    session: Session,
) -> None:
    await run(session, "open('kept.txt', 'w').write('file'); gone = 1")
    stubborn = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"

    killed = await run(session, stubborn, wall_seconds=0.5)
    after = await run(session, "print(open('kept.txt').read(), 'gone' in globals())")

    assert "did not heed the interrupt" in (killed.done.error or "")
    assert "variables are gone" in killed.text
    assert after.text.startswith("[This is a new session: variables of earlier cells are gone")
    assert after.text.endswith("file False\n")


async def test_an_interrupt_from_outside_stops_the_cell(session: Session) -> None:
    running = asyncio.create_task(run(session, "kept = 2\nimport time\ntime.sleep(15)"))
    await asyncio.sleep(0.3)

    await session.interrupt()
    outcome = await running

    assert outcome.done.error == "stopped on request"
    assert (await run(session, "kept")).text == "2\n"


async def test_a_reader_who_leaves_stops_the_cell_and_keeps_variables(session: Session) -> None:
    async def leave_early() -> None:
        code = "kept = 3\nimport time\nwhile True:\n    print('on')\n    time.sleep(0.01)"
        async for event in session.execute(code):
            if isinstance(event, LogText):
                break

    await leave_early()

    assert (await run(session, "kept")).text == "3\n"


async def test_a_cancelled_reader_stops_the_cell_and_keeps_variables(session: Session) -> None:
    running = asyncio.create_task(run(session, "kept = 4\nwhile True: pass"))
    await asyncio.sleep(0.3)

    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert (await run(session, "kept")).text == "4\n"


@pytest.mark.parametrize(
    ("code", "cause", "why"),
    [
        ("import os; os._exit(7)", "its Python process ended", "an exit past Python"),
        ("import os; os.abort()", "SIGABRT", "an abort"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV", "a crash in native code"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL", "a kill"),
    ],
)
async def test_a_crash_is_told_and_a_fresh_session_follows(
    session: Session, code: str, cause: str, why: str
) -> None:
    await run(session, "open('kept.txt', 'w').write('x');")

    crashed = await run(session, code)
    after = await run(session, "import os; os.listdir()")

    assert cause in (crashed.done.error or ""), why
    assert "Its variables are gone; its files are kept." in crashed.text
    assert after.text.endswith("['kept.txt']\n")


async def test_cells_of_one_session_wait_for_each_other(session: Session) -> None:
    slow = asyncio.create_task(run(session, "import time\ntime.sleep(0.4)\norder = 'first'"))
    await asyncio.sleep(0.05)

    second = await run(session, "order")

    assert second.text == "'first'\n"
    await slow


async def test_sessions_run_at_the_same_time_and_share_nothing(
    interpreter: CodeInterpreter,
) -> None:
    keys = [f"thread_parallel_{number}" for number in range(4)]
    sessions = [await interpreter.session(key) for key in keys]

    async def use(number: int, session: Session) -> str:
        await run(session, f"import time\nmine = {number}\nopen('mine.txt', 'w').write('{number}')")
        return (await run(session, "print(mine, open('mine.txt').read())")).text

    texts = await asyncio.gather(*map(use, range(4), sessions))

    assert texts == ["0 0\n", "1 1\n", "2 2\n", "3 3\n"]
    for key in keys:
        await interpreter.delete(key)


async def test_new_and_changed_files_are_handed_over_once(session: Session) -> None:
    await session.put("input.csv", b"a,b\n1,2\n")
    code = "import os\nos.mkdir('sub')\nopen('sub/new.txt', 'w').write('new')"

    first = await run(session, code)
    second = await run(session, "open('input.csv', 'a').write('3,4\\n')")
    third = await run(session, "1")

    assert first.files == {"sub/new.txt": b"new"}
    assert second.files == {"input.csv": b"a,b\n1,2\n3,4\n"}
    assert third.files == {}


async def test_input_files_keep_their_names_and_clashes_are_visible(
    session: Session, tmp_path: Path
) -> None:
    source = tmp_path / "report.csv"
    source.write_bytes(b"from a path")

    names = [await session.put("report.csv", b"first"), await session.put("report.csv", source)]
    shown = await run(session, "[open(n).read() for n in ('report.csv', 'report (2).csv')]")

    assert names == ["report.csv", "report (2).csv"]
    assert shown.text == "['first', 'from a path']\n"


async def test_input_files_can_be_changed_by_code(session: Session) -> None:
    await session.put("data.txt", b"old")

    outcome = await run(session, "open('data.txt', 'w').write('new');")

    assert outcome.files == {"data.txt": b"new"}


async def test_a_file_can_be_fetched_by_its_sandbox_path(session: Session) -> None:
    await run(session, "open('out.txt', 'w').write('hello');")

    assert await session.get("/mnt/data/out.txt") == b"hello"
    assert await session.get("out.txt") == b"hello"


@pytest.mark.parametrize("name", ["missing.txt", "../canary", "/etc/passwd", "", "a\0b"])
async def test_what_is_no_file_of_the_session_cannot_be_fetched(
    session: Session, name: str
) -> None:
    with pytest.raises(SandboxError, match="there is no file"):
        await session.get(name)


async def test_a_closed_session_keeps_its_files_and_says_that_variables_are_gone(
    session: Session,
) -> None:
    await run(session, "x = 1\nopen('kept.txt', 'w').write('kept');")

    await session.close()
    after = await run(session, "import os\nprint(os.listdir(), 'x' in globals())")

    assert after.text.startswith("[This is a new session")
    assert after.text.endswith("['kept.txt'] False\n")


async def test_an_idle_session_is_closed(tier: Tier, files: Path) -> None:
    async with CodeInterpreter(files, tier, LIMITS, idle_seconds=0.4) as interpreter:
        session = await interpreter.session("thread_idle")
        await run(session, "x = 1")
        await asyncio.sleep(1.5)

        after = await run(session, "'x' in globals()")

    assert after.text.endswith("False\n")


async def test_files_outlive_the_interpreter_and_deleting_removes_them(
    tier: Tier, files: Path
) -> None:
    async with CodeInterpreter(files, tier, LIMITS) as interpreter:
        await run(await interpreter.session("thread_a"), "open('kept', 'w').write('x');")

    async with CodeInterpreter(files, tier, LIMITS) as interpreter:
        session = await interpreter.session("thread_a")
        kept = await run(session, "import os; os.listdir()")
        await interpreter.delete("thread_a")
        session = await interpreter.session("thread_a")
        deleted = await run(session, "import os; os.listdir()")

    assert kept.text.startswith("[This is a new session: variables of earlier cells are gone")
    assert kept.text.endswith("['kept']\n")
    assert deleted.text == "[]\n"


@pytest.mark.parametrize("key", ["", "..", "a/b", "a\0", "x" * 200, "ключ"])
async def test_a_key_that_is_no_safe_name_is_refused(
    interpreter: CodeInterpreter, key: str
) -> None:
    with pytest.raises(SandboxError, match="letters, digits"):
        await interpreter.session(key)


async def test_the_loop_stays_free_while_code_runs_hard(session: Session) -> None:
    running = asyncio.create_task(run(session, "while True: print('x' * 1000)", wall_seconds=1))
    turns = 0
    while not running.done():
        await asyncio.sleep(0.005)
        turns += 1

    assert isinstance((await running).events[-1], Done)
    assert turns > 20
