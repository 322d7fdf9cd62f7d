"""Every story of this folder is watched: it takes its locks in the one order that all stories keep."""

from collections.abc import Iterator

import pytest

from tests.locks import watched


@pytest.fixture(autouse=True)
def in_order() -> Iterator[None]:
    """Fail a test in which a transaction locked something that it should have locked before."""
    with watched() as watch:
        yield
    assert watch.inversions == []
