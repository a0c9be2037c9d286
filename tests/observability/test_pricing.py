import pytest

from lib.models.provider import Usage
from lib.observability.pricing import ModelPrice, Prices

MILLION = Usage(prompt=1_000_000, completion=1_000_000, cached=0)
SOMEWHERE = "http://localhost:8000/v1"


def test_a_listed_model_costs_what_the_list_says() -> None:
    assert Prices({}, SOMEWHERE).cost("gpt-4o-mini", MILLION) == pytest.approx(0.15 + 0.60)


def test_cached_input_is_cheaper_where_the_list_says_so() -> None:
    cached = Usage(prompt=1_000_000, cached=1_000_000)

    assert Prices({}, SOMEWHERE).cost("gpt-4o-mini", cached) == pytest.approx(0.075)


def test_a_dated_name_is_found_by_its_model() -> None:
    prices = Prices({}, "https://api.openai.com/v1")

    assert prices.cost("gpt-4o-mini-2024-07-18", MILLION) == pytest.approx(0.75)


def test_a_model_that_nobody_knows_has_no_cost() -> None:
    assert Prices({}, SOMEWHERE).cost("home-grown-7b", MILLION) is None


def test_own_prices_win_over_the_list() -> None:
    own = {"gpt-4o*": ModelPrice(input=1, output=2, cached=0.5)}
    half_cached = Usage(prompt=1_000_000, completion=1_000_000, cached=500_000)

    cost = Prices(own, SOMEWHERE).cost("gpt-4o-mini", half_cached)

    assert cost == pytest.approx(0.5 + 0.25 + 2)


def test_the_model_on_this_machine_is_free() -> None:
    assert Prices({}, None).cost("qwen2.5-coder-1.5b", MILLION) == 0
