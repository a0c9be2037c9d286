"""Ingests every file of a folder, in a process that a test kills: INDEX FOLDER."""

import asyncio
import hashlib
import sys
from pathlib import Path

from lib.tools.file_search.index.protocol import FileKey
from lib.tools.file_search.ingestion import NewFile, Progress, ingest_file
from tests.tools.file_search.embedders import WordEmbedder
from tests.tools.file_search.indexes import open_index_at


def ignore(_: Progress) -> None:
    """A batch is watched from outside."""


async def ingest_all(address: str, paths: list[Path]) -> None:
    index, embedder = open_index_at(address), WordEmbedder()
    for path in paths:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        new = NewFile(FileKey("vs", path.name), path, path.name, digest)
        await ingest_file(index, embedder, new, ignore)
        print(path.name, flush=True)
    index.close()


if __name__ == "__main__":
    asyncio.run(ingest_all(sys.argv[1], sorted(Path(sys.argv[2]).iterdir())))
