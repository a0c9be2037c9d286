import pandas as pd
import pytest

from lib.dashboard.metadata import MetadataError, metadata_from_table, metadata_table


def test_metadata_comes_back_from_its_table() -> None:
    metadata = {"team": "maths", "level": "7"}

    assert metadata_from_table(metadata_table(metadata)) == metadata


def test_no_metadata_is_an_empty_table() -> None:
    assert metadata_table(None).empty
    assert metadata_from_table(metadata_table(None)) == {}


def test_rows_without_a_key_are_left_out_and_empty_values_kept() -> None:
    table = pd.DataFrame({"Key": [None, " team ", "x"], "Value": ["lost", "maths", None]})

    assert metadata_from_table(table) == {"team": "maths", "x": ""}


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([("a", "1"), ("a", "2")], "twice"),
        ([(str(n), "x") for n in range(17)], "at most 16 pairs"),
        ([("k" * 65, "x")], "at most 64 characters"),
        ([("k", "x" * 513)], "at most 512 characters"),
    ],
)
def test_what_the_api_would_refuse_is_said_before(pairs: list[tuple[str, str]], said: str) -> None:
    table = pd.DataFrame(pairs, columns=["Key", "Value"])

    with pytest.raises(MetadataError, match=said):
        metadata_from_table(table)
