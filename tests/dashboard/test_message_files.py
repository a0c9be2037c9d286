from lib.dashboard.message_files import file_ids, image_ids, missing_files
from tests.dashboard.objects import message

SAID = "See [a](sandbox:/mnt/data/a.csv) and [b](sandbox:/mnt/data/b.csv)."


def answer() -> dict[str, object]:
    start = SAID.index("sandbox:/mnt/data/a.csv")
    note = {
        "type": "file_path",
        "text": "sandbox:/mnt/data/a.csv",
        "start_index": start,
        "end_index": start + 23,
        "file_path": {"file_id": "file-a"},
    }
    image = {"type": "image_file", "image_file": {"file_id": "file-plot"}}
    text = {"type": "text", "text": {"value": SAID, "annotations": [note]}}
    return {"role": "assistant", "content": [image, text]}


def test_linked_and_attached_files_are_listed_once() -> None:
    attached = [{"file_id": "file-a"}, {"file_id": "file-c"}]

    whole = message("", **answer(), attachments=attached)

    assert file_ids(whole) == ["file-a", "file-c"]
    assert image_ids(whole) == ["file-plot"]


def test_a_link_to_a_file_that_nobody_made_is_found() -> None:
    assert missing_files(message("", **answer())) == ["b.csv"]


def test_what_people_write_is_not_checked_for_links() -> None:
    assert missing_files(message(SAID)) == []
