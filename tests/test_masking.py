import pytest

from lib.masking import MASK, mask


def test_every_secret_is_replaced() -> None:
    assert mask("key sk-one and sk-one-more", ["sk-one", "sk-one-more"]) == f"key {MASK} and {MASK}"


def test_a_secret_inside_json_is_replaced() -> None:
    assert mask('{"key": "pass\\"word"}', ['pass"word']) == f'{{"key": "{MASK}"}}'


def test_a_secret_that_is_hardly_one_does_not_spoil_the_text() -> None:
    assert mask("a cat", ["a"]) == "a cat"


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("sk-proj-Ab3_dEf6hIj9kLm2nOp5", id="OpenAI"),
        pytest.param("ghp_" + "a1B2" * 9, id="GitHub"),
        pytest.param("hf_" + "a1B2" * 8, id="Hugging Face"),
        pytest.param("AKIAABCDEFGHIJKLMNOP", id="Amazon"),
        pytest.param("eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSMeK", id="JSON Web Token"),
    ],
)
def test_a_key_that_nobody_told_of_is_known_by_its_form(key: str) -> None:
    assert mask(f'{{"said": "take {key}"}}', []) == f'{{"said": "take {MASK}"}}'


def test_what_follows_bearer_is_replaced() -> None:
    header = '{"Authorization": "Bearer abc.DEF-ghi_123"}'

    assert mask(header, []) == f'{{"Authorization": "Bearer {MASK}"}}'


@pytest.mark.parametrize(
    "text",
    [
        "The bearer of this letter",
        "a task-oriented-dialogue-system-2",
        "sk-learn and scikit-learn",
        "run_3KvLiYbZUbN3wWfHfbDtqjHB in thread_hostedABC",
    ],
)
def test_ordinary_words_and_ids_stay(text: str) -> None:
    assert mask(text, []) == text
