"""What people do without thinking: wait until a page stands still, open a menu again."""

from collections.abc import Callable
from contextlib import suppress

from playwright.sync_api import Locator, Page, TimeoutError, expect

_TRIES = 10
_MILLISECONDS_TO_BEGIN = 300
_MILLISECONDS_TO_STAY_OPEN = 3_000


def settle(page: Page) -> None:
    """Wait until the page is drawn: what is done while it is being drawn again may be undone."""
    drawing = page.get_by_test_id("stApp")
    page.wait_for_timeout(_MILLISECONDS_TO_BEGIN)
    expect(drawing).to_have_attribute("data-test-script-state", "notRunning")


def click_until(table: Locator, place: tuple[int, int], is_done: Callable[[], None]) -> None:
    """Click on a place in a table; once more where it was drawn anew in that very moment.

    `is_done` raises AssertionError until the click has had its effect.
    """
    for _ in range(_TRIES):
        table.click(position={"x": place[0], "y": place[1]})
        with suppress(AssertionError):
            is_done()
            return
    raise AssertionError(f"a click at {place} of {table} has no effect")


def choose(opener: Locator, item: Locator, opens: Locator | None = None) -> None:
    """Open a menu or a list and take one item of it.

    A page that is being drawn again closes what was opened meanwhile; people open it once more,
    unless what the item opens is there already.
    """
    for _ in range(_TRIES):
        opener.click()
        try:
            item.click(timeout=_MILLISECONDS_TO_STAY_OPEN)
        except TimeoutError:
            if opens is None or not opens.is_visible():
                continue
        return
    raise AssertionError(f"{item} never stayed open long enough")
