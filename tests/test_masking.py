from lib.masking import MASK, mask


def test_every_secret_is_replaced() -> None:
    assert mask("key sk-one and sk-one-more", ["sk-one", "sk-one-more"]) == f"key {MASK} and {MASK}"


def test_a_secret_inside_json_is_replaced() -> None:
    assert mask('{"key": "pass\\"word"}', ['pass"word']) == f'{{"key": "{MASK}"}}'


def test_a_secret_that_is_hardly_one_does_not_spoil_the_text() -> None:
    assert mask("a cat", ["a"]) == "a cat"
