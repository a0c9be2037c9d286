"""Find what a reader sees on a page under test."""

from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button


def button(page: AppTest, label: str) -> Button:
    """The first button with that label. Fails by naming the buttons that are there."""
    labels = [one.label for one in page.button]
    assert label in labels, f"no button {label!r} among {labels}"
    return page.button[labels.index(label)]


def words(page: AppTest) -> str:
    """Everything written on the page, one piece a line."""
    kinds = (page.title, page.subheader, page.markdown, page.caption, page.error, page.info)
    return "\n".join(str(element.value) for elements in kinds for element in elements)
