from typing import Any

from openai.types.beta.threads import Message

from lib.dashboard.citations import cited_sources, markdown_with_numbers

FIRST, SECOND = "【0:0†cats.md】", "【0:1†dogs.md】"


def citation(marker: str, file_id: str, quote: str, page: int | None) -> dict[str, Any]:
    return {
        "type": "file_citation",
        "text": marker,
        "start_index": 0,
        "end_index": 1,
        "file_citation": {
            "file_id": file_id,
            "quote": quote,
            "filename": f"{file_id}.md",
            "page": page,
        },
    }


def answer(text: str, *annotations: dict[str, Any]) -> Message:
    return Message.model_validate(
        {
            "id": "msg_1",
            "object": "thread.message",
            "created_at": 1,
            "thread_id": "thread_1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "text", "text": {"value": text, "annotations": annotations}}],
        }
    )


def test_markers_become_numbers_in_the_order_of_the_text() -> None:
    shown = markdown_with_numbers(f"Cats{FIRST} and dogs{SECOND}, cats{FIRST}.")

    assert shown == "Cats :blue-badge[1] and dogs :blue-badge[2], cats :blue-badge[1]."


def test_each_number_leads_to_its_file_with_every_quote_once() -> None:
    message = answer(
        f"Dogs{SECOND} cats{FIRST} more{FIRST} again{FIRST}",
        citation(SECOND, "dogs", "Dogs run.", None),
        citation(FIRST, "cats", "Cats sleep.", 4),
        citation(FIRST, "cats", "Cats hunt.", 5),
        citation(FIRST, "cats", "Cats hunt.", 5),
    )

    dogs, cats = cited_sources(message)

    assert (dogs.number, dogs.file_id, dogs.filename) == (1, "dogs", "dogs.md")
    assert (cats.number, cats.file_id) == (2, "cats")
    assert [(passage.quote, passage.page) for passage in cats.passages] == [
        ("Cats sleep.", 4),
        ("Cats hunt.", 5),
    ]


def test_quotes_of_one_page_are_shown_together() -> None:
    message = answer(
        f"Cats{FIRST} more{FIRST} again{FIRST}",
        citation(FIRST, "cats", "Cats sleep.", 4),
        citation(FIRST, "cats", "Cats hunt.", 5),
        citation(FIRST, "cats", "Cats purr.", 4),
    )

    (cats,) = cited_sources(message)

    assert [(page.page, page.quotes) for page in cats.pages] == [
        (4, ["Cats sleep.", "Cats purr."]),
        (5, ["Cats hunt."]),
    ]


def test_brackets_that_are_no_marker_stay() -> None:
    assert markdown_with_numbers("see 【附件】") == "see 【附件】"
