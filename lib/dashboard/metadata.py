"""An object's metadata as an editable table, and back."""

from collections.abc import Mapping

import pandas as pd

PAIRS = 16
KEY_LENGTH = 64
VALUE_LENGTH = 512


class MetadataError(Exception):
    """The table cannot become metadata. The text is one sentence that says why."""


def metadata_table(metadata: Mapping[str, str] | None) -> pd.DataFrame:
    """The pairs as rows with the columns Key and Value, both text."""
    pairs = dict(metadata or {})
    return pd.DataFrame(
        {
            "Key": pd.Series(list(pairs), dtype="string"),
            "Value": pd.Series(list(pairs.values()), dtype="string"),
        }
    )


def metadata_from_table(table: pd.DataFrame) -> dict[str, str]:
    """The rows as metadata; rows without a key are left out. Raises MetadataError."""
    metadata: dict[str, str] = {}
    for key, value in table.fillna("").itertuples(index=False):
        key = str(key).strip()
        if not key:
            continue
        if key in metadata:
            raise MetadataError(f"The metadata has the key “{key}” twice; give each its own key.")
        metadata[key] = str(value)
    _check_limits(metadata)
    return metadata


def _check_limits(metadata: Mapping[str, str]) -> None:
    if len(metadata) > PAIRS:
        raise MetadataError(f"Metadata holds at most {PAIRS} pairs; remove some of them.")
    if any(len(key) > KEY_LENGTH for key in metadata):
        raise MetadataError(f"A metadata key may have at most {KEY_LENGTH} characters; shorten it.")
    if any(len(value) > VALUE_LENGTH for value in metadata.values()):
        raise MetadataError(
            f"A metadata value may have at most {VALUE_LENGTH} characters; shorten it."
        )
