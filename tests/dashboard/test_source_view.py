from lib.dashboard.source_view import passage_html
from lib.dashboard.studio_api import FilePassage


def passage(before: str, quote: str, after: str, begins_at_edge: bool = True) -> FilePassage:
    return FilePassage(
        before=before,
        quote=quote,
        after=after,
        is_whole_quote=True,
        begins_at_edge=begins_at_edge,
        ends_at_edge=False,
    )


def test_a_passage_keeps_its_lines_and_indents_and_the_quote_is_marked() -> None:
    shown = passage_html(passage("def fee():\n    ", "return 5", "\n", begins_at_edge=False))

    assert ">… def fee():\n    <mark" in shown
    assert ">return 5</mark>\n …</div>" in shown


def test_nothing_in_a_passage_runs_in_the_browser() -> None:
    shown = passage_html(
        passage("<script>a()</script>", "<img src=x onerror=b()>", "</mark><b>&amp;")
    )

    assert "<script" not in shown
    assert "<img" not in shown
    assert "&lt;/mark&gt;&lt;b&gt;&amp;amp;" in shown
