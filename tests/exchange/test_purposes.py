"""A request may declare what the data are for: the accepted terms must permit it, and it is kept."""

import pytest
from flask import Flask
from sqlalchemy import select

from marketplace.audit.models import Entry
from marketplace.kit.db import db
from marketplace.licensing import purposes, rules
from marketplace.licensing.errors import PurposeNotPermitted, PurposeUnknown
from marketplace.licensing.states import PriceKind, UseApplication
from marketplace.metering.models import Delivery
from tests.factories import market


@pytest.fixture
def grant(app: Flask) -> tuple:
    """A buyer and its grant, whose terms permit commercial use and research."""
    buyer = market.buyer()
    return buyer, market.bought(app, buyer, market.offered(market.listed(), PriceKind.FREE)).grant_id


def kept() -> list[str | None]:
    return list(db.session.scalars(select(Delivery.purpose)))


def test_a_permitted_purpose_is_kept_with_the_delivery_and_in_the_record(grant: tuple) -> None:
    market.fetched(*grant, musubi_purpose="research")
    assert kept() == ["research"]
    entry = db.session.scalars(select(Entry).where(Entry.verb == "metering.delivery.opened")).one()
    assert '"purpose":"research"' in entry.canonical


def test_without_a_declaration_the_accepted_purposes_hold(grant: tuple) -> None:
    market.fetched(*grant)
    assert kept() == [None]


@pytest.mark.parametrize("asked", [{}, {"Range": "bytes=0-3"}, {"If_None_Match": "*"}], ids=["all", "range", "known"])
def test_a_purpose_that_the_terms_do_not_permit_is_refused_and_holds_nothing(grant: tuple, asked: dict) -> None:
    with pytest.raises(PurposeNotPermitted) as refused:
        market.fetched(*grant, Musubi_Purpose="medical", **asked)
    assert refused.value.members == {"purpose": "medical", "permitted": ["commercial", "research"]}
    assert kept() == []


@pytest.mark.parametrize("declared", ["", "Research", "研究", "research, medical", "x" * 10_000])
def test_an_unknown_purpose_is_refused(grant: tuple, declared: str) -> None:
    with pytest.raises(PurposeUnknown):
        market.fetched(*grant, musubi_purpose=declared)
    assert kept() == []


@pytest.mark.parametrize(
    ("permitted", "declared", "fits"),
    [
        (["noLimit"], "medical", True),
        (["noLimit"], "noLimit", True),
        (["research"], "noLimit", False),
        (["individual"], "individual", True),
        (["individual"], "research", False),
        (["research"], "individual", False),
    ],
)
def test_no_limit_permits_all_and_agreement_is_for_who_declares_it(
    permitted: list[str], declared: str, fits: bool
) -> None:
    terms = rules.restore_terms(terms_of(permitted))
    if fits:
        purposes.require(terms, UseApplication(declared))
    else:
        with pytest.raises(PurposeNotPermitted):
            purposes.require(terms, UseApplication(declared))


def terms_of(permitted: list[str]) -> dict:
    """The document of terms that permit these purposes."""
    document = rules.terms_document(rules.read_terms({"template": "standard-commercial", "fee": "無償"}))
    return document | {"template": "custom", "use_application": permitted}
