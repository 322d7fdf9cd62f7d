"""Payouts and settlements of more sales than one statement of PostgreSQL takes parameters (65,535)."""

from dataclasses import dataclass
from typing import cast

from sqlalchemy.orm import Session

from marketplace.billing import rating
from marketplace.billing.earning_models import Earning
from marketplace.billing.payouts import queries, service

MANY = 70_000


@dataclass(frozen=True)
class Shown:
    id: str


def test_the_papers_of_a_payout_over_very_many_sales_are_made(session: Session) -> None:
    assert queries.rates_of(f"ord_{number}" for number in range(MANY)) == {}
    service.mark_shown("pyt_none", [cast("Earning", Shown(f"ern_{number}")) for number in range(MANY)])


def test_very_many_grants_with_fees_are_settled(session: Session) -> None:
    assert rating.list_closed([f"grt_{number}" for number in range(MANY)]) == set()
