"""Fixtures that more than one folder of tests uses."""

from collections.abc import Iterator

import pytest

from tests.doubles.model_endpoint import ModelEndpoint


@pytest.fixture
def endpoint() -> Iterator[ModelEndpoint]:
    """A model endpoint of this test's own, listening on a free port."""
    with ModelEndpoint() as endpoint:
        yield endpoint
