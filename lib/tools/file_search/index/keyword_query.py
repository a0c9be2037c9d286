"""Chooses which words of a query are looked up, so that a long query stays quick."""

import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence

# Scoring a row takes about a microsecond; the rarest words decide the ranking anyway.
SCORED_ROWS = 12_000
# One word alone says little, so a second one may cost more.
ROWS_OF_SECOND_WORD = 40_000
MOST_WORDS = 32
TOKENIZER = "porter unicode61 remove_diacritics 2 categories 'L* N* Co M*'"


class TermReader:
    """Tells the terms that FTS5 keeps for a word, by asking an FTS5 of its own."""

    def __init__(self) -> None:
        self._database = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._database.execute(
            f'CREATE VIRTUAL TABLE words USING fts5(word, tokenize="{TOKENIZER}")'
        )
        self._database.execute("CREATE VIRTUAL TABLE terms USING fts5vocab(words, instance)")
        self._lock = threading.Lock()

    def terms(self, words: Sequence[str]) -> dict[str, str]:
        """Word by word, the term; a word that the tokenizer drops is left out."""
        with self._lock:
            self._database.execute("DELETE FROM words")
            self._database.executemany(
                "INSERT INTO words (rowid, word) VALUES (?, ?)", enumerate(words)
            )
            rows = self._database.execute("SELECT doc, term FROM terms").fetchall()
        return {words[row]: term for row, term in rows}

    def close(self) -> None:
        self._database.close()


def match_expression(
    words: Sequence[str], reader: TermReader, rows_with: Callable[[str], int]
) -> str | None:
    """The FTS5 expression for a query's words, or None when none of them is in the index."""
    terms = reader.terms(words)
    kept = words_to_score({word: rows_with(term) for word, term in terms.items()})
    return " OR ".join(f'"{word}"' for word in kept) or None


def words_to_score(counts: Mapping[str, int]) -> list[str]:
    """Which words of a query to look up, by the number of rows that each occurs in.

    Words are taken rarest first until they bring `SCORED_ROWS` rows to score; the rarest is always
    taken, the next one unless it is in nearly every chunk.
    """
    rarest = sorted((word for word in counts if counts[word]), key=lambda word: counts[word])
    kept = rarest[:1]
    rows = sum(counts[word] for word in kept)
    for word in rarest[1:MOST_WORDS]:
        rows += counts[word]
        if rows > (SCORED_ROWS if len(kept) > 1 else ROWS_OF_SECOND_WORD):
            break
        kept.append(word)
    return kept
