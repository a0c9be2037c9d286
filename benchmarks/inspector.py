"""Does the run inspector stay quick with 100,000 runs, a run of 200 steps, a batch of 1,000?

python -m benchmarks.inspector
"""

import json
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.harness import (
    ModelEndpoint,
    Server,
    free_port,
    milliseconds,
    model_endpoint,
    report,
    studio,
)
from lib.store.database import open_store

RUNS = 100_000
STEPS = 200
LONG_RUNS = 12
"""The newest runs, on the first page of the table; all the others have one step."""
PROMPTS = 1_000
TIMES = 15
_DAYS = 90
_DAY = 24 * 3600
_NO_DOUBLE_CLICK = 800.0
"""Milliseconds."""
_MARK_FROM_LEFT, _NAME_FROM_LEFT = 12, 180
_FIRST_ROW, _ROW_HEIGHT = 52, 35
"""Pixels in the table of the runs."""
_IS_DRAWN = """([selector, text]) => [...document.querySelectorAll(selector)].some(
    one => one.getBoundingClientRect().height > 0 && one.textContent.includes(text))"""
_EMPTY = "import streamlit as st\nst.title('Runs')\n"
_ONLY_A_TABLE = """
import pandas as pd
import streamlit as st

def other():
    st.title("Other")

def runs():
    st.title("Runs")
    st.dataframe(pd.DataFrame({"a": range(15)}))

st.navigation([st.Page(other, default=True), st.Page(runs, url_path="runs")]).run()
"""
_CAPTION = '[data-testid="stCaptionContainer"]'
_TABLE = '[data-testid="stDataFrame"] canvas'
_CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]


def fill(database: Path) -> None:
    """Put assistants, threads and runs of the last months into a new database."""
    open_store(f"sqlite:///{database}").close()
    chance, now = random.Random(1), int(time.time())
    with sqlite3.connect(database) as store:
        _insert(store, "assistants", (_assistant(name, now) for name in ("Tutor", "Analyst")))
        _insert(store, "threads", (_thread(number, now) for number in range(RUNS)))
        began = now - _DAYS * _DAY
        moments = (began + number * _DAYS * _DAY // RUNS for number in range(RUNS))
        _insert(store, "runs", (_run(n, at, chance) for n, at in enumerate(moments)))
        long = [(RUNS - 1 - which, number) for which in range(LONG_RUNS) for number in range(STEPS)]
        _insert(store, "steps", (_step(run, number, now) for run, number in long))
        _insert(store, "messages", (_message(run, number, now) for run, number in long))


def _insert(store: sqlite3.Connection, table: str, rows: Iterator[dict[str, Any]]) -> None:
    first = next(rows)
    names = ", ".join(f'"{name}"' for name in first)
    marks = ", ".join("?" * len(first))
    statement = f'INSERT INTO "{table}" ({names}) VALUES ({marks})'
    store.execute(statement, list(first.values()))
    store.executemany(statement, (list(row.values()) for row in rows))


def _assistant(name: str, now: int) -> dict[str, Any]:
    return {
        "id": f"asst_{name}",
        "created_at": now,
        "name": name,
        "model": "gpt-4o-mini",
        "tools": "[]",
        "tool_resources": "{}",
        "metadata": "{}",
    }


def _thread(number: int, now: int) -> dict[str, Any]:
    return {
        "id": f"thread_{number}",
        "created_at": now,
        "metadata": "{}",
        "tool_resources": "{}",
        "title": f"Question number {number} about fish and bread",
        "last_active_at": now,
    }


def _run(number: int, at: int, chance: random.Random) -> dict[str, Any]:
    status = chance.choices(["completed", "failed", "incomplete", "cancelled"], [90, 6, 2, 2])[0]
    took, prompt, answer = (chance.randint(*span) for span in ((300, 60_000), (99, 5000), (9, 500)))
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "total_tokens": prompt + answer,
        "prompt_token_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
    error = {"code": "server_error", "message": f"The endpoint broke down at {number}."}
    return {
        "id": f"run_{number}",
        "created_at": at,
        "thread_id": f"thread_{number}",
        "assistant_id": chance.choice(["asst_Tutor", "asst_Analyst"]),
        "status": status,
        "attempt": 1,
        "model": "gpt-4o-mini",
        "answered_by": "gpt-4o-mini",
        "instructions": "You are a tutor. " * 60,
        "tools": "[]",
        "metadata": "{}",
        "truncation_strategy": '{"type": "auto", "last_messages": null}',
        "parallel_tool_calls": 1,
        "last_error": json.dumps(error) if status == "failed" else None,
        "usage": json.dumps(usage),
        "expires_at": at + 600,
        "started_at": at,
        "duration_ms": took,
        "waited_ms": 0,
        "step_count": STEPS if number >= RUNS - LONG_RUNS else 1,
        "prompt_tokens": prompt,
        "cached_tokens": 0,
        "completion_tokens": answer,
        "reasoning_tokens": 0,
        "cost": prompt * 1.5e-7 + answer * 6e-7,
    }


def _step(run: int, number: int, now: int) -> dict[str, Any]:
    made = {"type": "message_creation", "message_creation": {"message_id": f"msg_{run}_{number}"}}
    return {
        "id": f"step_{run}_{number}",
        "created_at": now,
        "run_id": f"run_{run}",
        "thread_id": f"thread_{run}",
        "assistant_id": "asst_Tutor",
        "type": "message_creation",
        "status": "completed",
        "step_details": json.dumps(made),
        "metadata": "{}",
        "replay": "[]",
        "tool_outputs": "{}",
        "tool_states": "{}",
        "completed_at": now,
    }


def _message(run: int, number: int, now: int) -> dict[str, Any]:
    text = {"type": "text", "text": {"value": f"Answer {number}. " * 10, "annotations": []}}
    return {
        "id": f"msg_{run}_{number}",
        "created_at": now,
        "thread_id": f"thread_{run}",
        "role": "assistant",
        "status": "completed",
        "content": json.dumps([text]),
        "attachments": "[]",
        "metadata": "{}",
        "assistant_id": "asst_Tutor",
        "run_id": f"run_{run}",
        "completed_at": now,
    }


def timed(act: Callable[[], object], times: int = TIMES) -> list[float]:
    """Seconds of each time, the first, which warms up, left out."""
    act()
    taken: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        taken.append(time.perf_counter() - began)
    return taken


def api_times(server: Server) -> list[tuple[str, str, str]]:
    with httpx2.Client(base_url=f"{server.base_url}/", timeout=60) as http:
        asked = {
            "a page of runs": "runs?limit=15",
            "… sorted by cost": "runs?limit=15&sort=cost",
            "… with a text": "runs?limit=15&text=number 4711",
            "… failed": "runs?limit=15&status=failed",
            "totals of all runs": "runs/stats",
            "figures by day": "runs/stats?by=day",
        }
        return [
            (f"API: {what}", milliseconds(timed(lambda path=path: http.get(path))), "")  # type: ignore[misc]
            for what, path in asked.items()
        ]


@contextmanager
def streamlit_page(source: str) -> Iterator[str]:
    """An app of one script, for comparison."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "page.py"
        script.write_text(source)
        command = [sys.executable, "-m", "streamlit", "run", str(script)]
        port = free_port()
        options = ["--server.port", str(port), "--server.headless", "true"]
        process = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL)
        try:
            _wait_for(f"http://127.0.0.1:{port}")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def _wait_for(url: str) -> None:
    while True:
        try:
            httpx2.get(url, timeout=5)
        except httpx2.HTTPError:
            time.sleep(0.1)
            continue
        return


def load(page: Page, url: str, seen: str) -> None:
    page.goto(url)
    wait_until_drawn(page, seen)


def wait_until_drawn(page: Page, selector: str, text: str = "") -> None:
    """Wait for an element that holds the text.

    Playwright's own waiting looks again only after up to half a second; this looks at every frame.
    """
    page.wait_for_function(_IS_DRAWN, arg=[selector, text], polling="raf")


def wait_until_gone(page: Page, selector: str, text: str) -> None:
    page.wait_for_function(f"found => !({_IS_DRAWN})(found)", arg=[selector, text], polling="raf")


def page_times(browser: Browser, server: Server) -> list[tuple[str, str, str]]:
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(120_000)
    root = server.base_url.removesuffix("/v1")
    titled = timed(lambda: load(page, f"{root}/runs", "h1"), 9)
    runs = timed(lambda: load(page, f"{root}/runs", _TABLE), 9)
    with streamlit_page(_EMPTY) as url:
        empty = timed(lambda: load(page, url, "h1"), 9)
    with streamlit_page(_ONLY_A_TABLE) as url:
        table = timed(lambda: load(page, f"{url}/runs", _TABLE), 9)
    load(page, f"{root}/runs", _TABLE)
    turned = timed(lambda: _turn_page(page), 8)
    load(page, f"{root}/runs", _TABLE)
    opened = [_time_to_open(page, row) for row in range(LONG_RUNS)][1:]
    opened_again = [_time_to_open(page, row) for row in range(LONG_RUNS)]
    page.close()
    return [
        ("page load with 100,000 runs, until its title", milliseconds(titled), ""),
        ("… until its table", milliseconds(runs), ""),
        ("an empty page, until its title", milliseconds(empty), ""),
        ("an app of two pages, until a table of 15 rows", milliseconds(table), ""),
        ("title against the empty page's", _times(titled, empty), "≤ 1.5 times"),
        ("table against the empty page's title", _times(runs, empty), "≤ 1.5 times"),
        ("table against the app with nothing but a table", _times(runs, table), ""),
        ("click on Older and back, until drawn", milliseconds(turned), "≤ 2 × 150 ms"),
        ("a run of 200 steps, from the click until drawn", milliseconds(opened), "≤ 300 ms"),
        ("… a second time", milliseconds(opened_again), ""),
    ]


def _times(taken: list[float], baseline: list[float]) -> str:
    return f"{statistics.median(taken) / statistics.median(baseline):.2f} times"


def _turn_page(page: Page) -> None:
    page.get_by_role("button", name="Older").click()
    wait_until_drawn(page, _CAPTION, "Page 2")
    page.get_by_role("button", name="Newer").click()
    wait_until_drawn(page, _CAPTION, "Page 1")


def _time_to_open(page: Page, row: int) -> float:
    """Seconds from the click on the name of a run until its steps are drawn."""
    rows = page.get_by_test_id("stDataFrame").first
    drawn = (_CAPTION, "Choose a step to see it whole.")
    height = _FIRST_ROW + row * _ROW_HEIGHT
    began = time.perf_counter()
    rows.click(position={"x": _NAME_FROM_LEFT, "y": height})
    wait_until_drawn(page, *drawn)
    taken = time.perf_counter() - began
    # A second click right after the first would be a double click.
    page.wait_for_timeout(_NO_DOUBLE_CLICK)
    rows.click(position={"x": _MARK_FROM_LEFT, "y": height})
    wait_until_gone(page, *drawn)
    page.wait_for_timeout(_NO_DOUBLE_CLICK)
    return taken


def batch_times(
    browser: Browser, server: Server, endpoint: ModelEndpoint
) -> list[tuple[str, str, str]]:
    endpoint.answer_with(text="Fine.", initial_delay=0.2)
    root = server.base_url.removesuffix("/v1")
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(120_000)
    with httpx2.Client(base_url=f"{server.base_url}/", timeout=60) as http:
        prompts = [f"Question {number}" for number in range(PROMPTS)]
        body = {"assistant_id": "asst_Tutor", "prompts": prompts, "concurrency": 16}
        began = time.perf_counter()
        batch = http.post("prompt_batches", json=body).json()
        load(page, f"{root}/batch?batch={batch['id']}", '[data-testid="stDataFrame"] canvas')
        path = f"prompt_batches/{batch['id']}"
        answered = timed(lambda: http.get(path), 40)
        clicks = timed(lambda: _open_form(page), 8)
        while http.get(path).json()["by_status"] != {"completed": PROMPTS}:
            time.sleep(0.2)
        took = time.perf_counter() - began
    page.close()
    return [
        ("batch of 1,000, 16 at once, done after", f"{took:.1f} s", ""),
        ("… ideal with an endpoint that takes 0.2 s", f"{PROMPTS / 16 * 0.2:.1f} s", ""),
        ("… API answers meanwhile", milliseconds(answered), ""),
        ("… opening and closing the form meanwhile", milliseconds(clicks), ""),
    ]


def _open_form(page: Page) -> None:
    page.get_by_text("New batch", exact=True).click()
    page.get_by_role("button", name="Run them all").wait_for()
    page.get_by_text("New batch", exact=True).click()
    page.get_by_role("button", name="Run them all").wait_for(state="hidden")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        data_dir = Path(folder)
        fill(data_dir / "studio.db")
        executable = shutil.which("chromium") or playwright.chromium.executable_path
        browser = playwright.chromium.launch(executable_path=executable, args=_CHROMIUM)
        with model_endpoint() as endpoint, studio(endpoint.base_url, data_dir) as server:
            rows = api_times(server)
            rows += page_times(browser, server)
            rows += batch_times(browser, server, endpoint)
        browser.close()
    report(f"The run inspector with {RUNS:,} runs", rows)


if __name__ == "__main__":
    main()
