"""A market for each test of a protocol, as the tests of the interface have it."""

import pytest
from flask import Flask

from tests.api.trade import Market, market_of


@pytest.fixture
def market(app: Flask) -> Market:
    """Everybody who takes part, in the test's own transaction."""
    return market_of(app)
