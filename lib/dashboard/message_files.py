"""The files of a message: those that came with it, those it links to, the images in it."""

import re
from collections.abc import Sequence

from openai.types.beta.threads import Message

SANDBOX_LINK = re.compile(r"sandbox:(/mnt/data/[^\s)\]>\"'`]+)")


def image_ids(message: Message) -> list[str]:
    """The images that stand in the message, in order."""
    return [part.image_file.file_id for part in message.content if part.type == "image_file"]


def file_ids(message: Message) -> list[str]:
    """The files that the message links to or brings along, in order, each once."""
    linked = [
        note.file_path.file_id
        for part in message.content
        if part.type == "text"
        for note in part.text.annotations
        if note.type == "file_path"
    ]
    attached = [one.file_id for one in message.attachments or [] if one.file_id]
    return list(dict.fromkeys([*linked, *attached]))


def missing_files(message: Message) -> Sequence[str]:
    """Names under /mnt/data that an answer links to although no such file was made."""
    missing: list[str] = []
    for part in message.content:
        if part.type != "text" or message.role != "assistant":
            continue
        starts = {note.start_index for note in part.text.annotations if note.type == "file_path"}
        missing += [
            link[1].removeprefix("/mnt/data/")
            for link in SANDBOX_LINK.finditer(part.text.value)
            if link.start() not in starts
        ]
    return list(dict.fromkeys(missing))
