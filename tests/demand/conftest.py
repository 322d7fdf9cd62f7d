"""Stories of demand are watched as those of the exchange: they take their locks in one order."""

from collections.abc import Iterator

import pytest

from tests.locks import watched


@pytest.fixture(autouse=True)
def in_order() -> Iterator[None]:
    """Fail a test in which a transaction locked something that it should have locked before."""
    with watched() as watch:
        yield
    assert watch.inversions == []
