import pytest

from lib.dashboard.prompt_lists import UnreadablePromptsError, from_file, from_text


def test_each_line_that_says_something_is_a_prompt() -> None:
    assert from_text(" One \n\n\tTwo\r\n") == ["One", "Two"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"id,prompt\n1,One\n2,Two\n", id="a column named prompt"),
        pytest.param(b"Question\nOne\nTwo\n", id="a column named question"),
        pytest.param(b"One\nTwo\n", id="no header"),
        pytest.param(
            b"\xef\xbb\xbfprompt\nOne\n\n , \nTwo\n", id="byte order mark and empty lines"
        ),
    ],
)
def test_prompts_of_a_csv_file(content: bytes) -> None:
    assert from_file("prompts.csv", content) == ["One", "Two"]


def test_a_prompt_in_quotes_may_have_several_lines() -> None:
    assert from_file("p.csv", b'prompt\n"One,\nand more"\n') == ["One,\nand more"]


@pytest.mark.parametrize(
    ("name", "content"), [("p.txt", b"\xff\xfe\x00"), ("p.csv", b'prompt\n"never closed')]
)
def test_a_file_that_cannot_be_read_is_named(name: str, content: bytes) -> None:
    with pytest.raises(UnreadablePromptsError, match=name):
        from_file(name, content)
