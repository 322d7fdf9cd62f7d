"""A market for each test of the wire: parties with tokens, and what they trade."""

import pytest
from flask import Flask

from tests.api.trade import Goods, Market, market_of


@pytest.fixture
def market(app: Flask) -> Market:
    """Everybody who takes part, in the test's own transaction."""
    return market_of(app)


@pytest.fixture
def goods(market: Market) -> Goods:
    """A published dataset with one file."""
    return market.goods()
