"""What the tokens of a model cost: from a maintained price list, or the prices that are set."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from threading import Thread

from pydantic import BaseModel, ConfigDict, Field

from lib.models.provider import Usage

_MILLION = 1_000_000
_ANY_MODEL = "gpt-4o-mini"


class ModelPrice(BaseModel):
    """US dollars for a million tokens. Cached input costs as much as other input unless set."""

    model_config = ConfigDict(extra="forbid")

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached: float | None = Field(default=None, ge=0)

    def cost(self, usage: Usage) -> float:
        cached = self.input if self.cached is None else self.cached
        fresh = max(0, usage.prompt - usage.cached)
        spent = fresh * self.input + usage.cached * cached + usage.completion * self.output
        return spent / _MILLION


FREE = ModelPrice(input=0, output=0)


class Prices:
    """Finds the price of a model by the name under which it answered.

    `own` maps names, or shell-style patterns of names, to prices; they win over the list.
    `base_url` is the model endpoint's address, None for the model on this machine, which is free.
    """

    def __init__(self, own: Mapping[str, ModelPrice], base_url: str | None) -> None:
        self._own = dict(own)
        self._base_url = base_url

    def cost(self, model: str, usage: Usage) -> float | None:
        """US dollars; None when nobody knows what the model costs."""
        for pattern, price in self._own.items():
            if fnmatchcase(model, pattern):
                return price.cost(usage)
        if self._base_url is None:
            return FREE.cost(usage)
        return _listed_cost(model, self._base_url, usage)

    def load_in_background(self) -> None:
        """Read the price list, which takes half a second, before the first run needs it."""
        if self._base_url is None:
            return
        Thread(target=self.load, name="price-list", daemon=True).start()

    def load(self) -> None:
        """Read the price list now."""
        _listed_cost(_ANY_MODEL, self._base_url or "", Usage(1, 1))


def _listed_cost(model: str, base_url: str, usage: Usage) -> float | None:
    # Loaded only where a price is asked for: the list is large.
    from genai_prices import Usage as PricedUsage
    from genai_prices import calc_price

    tokens = PricedUsage(
        input_tokens=usage.prompt,
        cache_read_tokens=min(usage.cached, usage.prompt),
        output_tokens=usage.completion,
    )
    # The endpoint's own price where the list knows the endpoint, else the model's maker's.
    for where in (base_url, None):
        try:
            return float(calc_price(tokens, model, provider_api_url=where).total_price)
        except (LookupError, ValueError):
            continue
    return None
