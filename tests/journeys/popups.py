"""Menus and lists that open above the page."""

from playwright.sync_api import Locator, TimeoutError

_TRIES = 10
_MILLISECONDS_TO_STAY_OPEN = 3_000


def choose(opener: Locator, item: Locator) -> None:
    """Open a menu or a list and take one item of it.

    A page that is being drawn again closes what was opened meanwhile; people open it once more.
    """
    for _ in range(_TRIES):
        opener.click()
        try:
            item.click(timeout=_MILLISECONDS_TO_STAY_OPEN)
        except TimeoutError:
            continue
        return
    raise AssertionError(f"{item} never stayed open long enough")
