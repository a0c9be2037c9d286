"""Files: a row that names and describes, a blob that holds the bytes."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from lib.store.blobs import Blobs, Received
from lib.store.paging import Page, PageRequest, read_page
from lib.store.queries import find
from lib.store.tables import FileRow
from lib.store.vector_stores import delete_uses_of_file


def add_file(session: Session, blobs: Blobs, received: Received, row: FileRow) -> FileRow:
    blobs.keep(received)
    session.add(row)
    return row


def list_files(session: Session, purpose: str | None, request: PageRequest) -> Page[FileRow]:
    query = select(FileRow)
    if purpose is not None:
        query = query.where(FileRow.purpose == purpose)
    return read_page(session, FileRow, query, request)


def delete_file(session: Session, file_id: str) -> str:
    """Delete a file with every use of it. Returns the SHA-256 of its content, for `drop_unused`."""
    row = find(session, FileRow, file_id)
    delete_uses_of_file(session, file_id)
    session.delete(row)
    return row.sha256


def drop_unused(session: Session, blobs: Blobs, sha256: str) -> None:
    """Take a content off the disk, unless another file has the same."""
    if session.scalar(select(FileRow.id).where(FileRow.sha256 == sha256).limit(1)) is None:
        blobs.drop(sha256)
