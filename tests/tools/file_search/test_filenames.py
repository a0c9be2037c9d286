"""A query tells which files it is about by words of their names."""

import pytest

from lib.tools.file_search.filenames import named_shares

REPORTS = ("3M_2018_10K.pdf", "3M_2022_10K.pdf", "AMERICANEXPRESS_2022_10K.pdf")


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("What did 3M spend in 2018?", "3M_2018_10K.pdf"),
        # A year is a year with letters before it.
        ("What did 3M spend in FY2018?", "3M_2018_10K.pdf"),
        # A name written without the spaces of the query.
        ("What drove American Express' margin?", "AMERICANEXPRESS_2022_10K.pdf"),
    ],
)
def test_the_file_with_the_most_words_of_the_query_is_named_most(query: str, named: str) -> None:
    shares = named_shares(query, REPORTS)

    assert max(shares, key=lambda name: shares[name]) == named
    assert all(0 <= share <= 1 for share in shares.values())


def test_a_name_said_in_full_has_share_one() -> None:
    shares = named_shares("open UserGuide", ["user guide.md", "invoice.md"])

    assert shares == {"user guide.md": 1.0, "invoice.md": 0.0}


def test_words_that_all_names_have_tell_nothing() -> None:
    shares = named_shares("the annual report", ["annual report.pdf", "Annual_Report.docx"])

    assert set(shares.values()) == {0.0}


def test_a_name_in_a_script_without_spaces_is_found_in_a_sentence() -> None:
    shares = named_shares("公司的年度报告说了什么", ["年度报告.pdf", "会议记录.pdf"])

    assert shares["年度报告.pdf"] > shares["会议记录.pdf"] == 0.0


def test_no_files_have_no_shares() -> None:
    assert named_shares("anything", []) == {}
