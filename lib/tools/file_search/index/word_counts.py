"""Counts words the way FTS5 does, for an index that keeps its own list of them."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import NamedTuple

from lib.tools.file_search.index.keyword_query import TOKENIZER
from lib.tools.file_search.index.words import LONGEST_WORD


class WordCount(NamedTuple):
    """How often a word occurs in the text at `place` and in the name of its file."""

    place: int
    word: str
    in_filename: int
    in_text: int


class CountedWords(NamedTuple):
    """`lengths` are in words, name, text and store together, one for each text."""

    lengths: list[int]
    counts: list[WordCount]


def count_words(filename: str, texts: Sequence[str]) -> CountedWords:
    """The words of prepared texts, each with the name of its file; a word too long to be asked
    for counts in the length alone."""
    # FTS5 keeps the name of the store as a word of its own; scores equal those of that index.
    lengths = [1] * len(texts)
    counts: list[WordCount] = []
    for each in _counts(filename, texts):
        lengths[each.place] += each.in_filename + each.in_text
        if len(each.word) <= LONGEST_WORD:
            counts.append(each)
    return CountedWords(lengths, counts)


def _counts(filename: str, texts: Sequence[str]) -> Iterator[WordCount]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        database.execute(
            "CREATE VIRTUAL TABLE keywords USING fts5"
            f"(filename, text, content = '', tokenize = \"{TOKENIZER}\")"
        )
        database.execute("CREATE VIRTUAL TABLE instances USING fts5vocab (keywords, instance)")
        database.executemany(
            "INSERT INTO keywords (rowid, filename, text) VALUES (?, ?, ?)",
            ((place, filename, text) for place, text in enumerate(texts)),
        )
        rows = database.execute(
            "SELECT doc, term, sum(col = 'filename'), sum(col = 'text') FROM instances"
            " GROUP BY doc, term"
        )
        yield from (WordCount(*row) for row in rows)
