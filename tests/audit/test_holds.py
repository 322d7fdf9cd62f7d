"""Legal holds: what they stand on stays whatever the calendar says, and goes when they are lifted."""

from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from marketplace.access import tickets
from marketplace.access.ticket_models import Ticket
from marketplace.audit import holds
from marketplace.audit.errors import HoldLifted
from marketplace.audit.models import Entry
from marketplace.billing.documents import service as documents
from marketplace.billing.documents.models import Document
from marketplace.catalog import service as catalog
from marketplace.catalog.uploads import service as uploads
from marketplace.catalog.uploads.models import Upload
from marketplace.catalog.uploads.rules import UploadDraft
from marketplace.exchange import holding
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.identity.models import AccessToken, Organization
from marketplace.identity.oauth import access_tokens
from marketplace.identity.oauth.access_tokens import Bearer
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import PriceKind
from tests.factories import market
from tests.factories.documents import DraftFactory, LineFactory

LATER = timedelta(days=400)


def held(subject: str, reason: str = "訴訟のため") -> str:
    with transaction():
        return holding.place(SYSTEM, subject, reason).id


def lifted(hold_id: str) -> None:
    with transaction():
        holds.lift(SYSTEM, hold_id, "和解")


def rows(model: type) -> int:
    db.session.expire_all()
    return len(db.session.scalars(select(model)).all())


def upload_of(on: market.Listed) -> None:
    with transaction():
        draft = catalog.open_release(on.provider, on.dataset_id, "next")
        uploads.open_upload(on.provider, UploadDraft(draft.id, "more.csv", "text/csv", 10))


def token_of(who: Actor) -> None:
    with transaction():
        access_tokens.issue(Bearer(str(who.client_id), who.organization_id, "data:read"))


@pytest.mark.parametrize("whose", ["the provider", "the dataset"])
def test_an_upload_under_a_hold_is_not_given_up(app: Flask, whose: str) -> None:
    on, other = market.listed(), market.listed()
    for one in (on, other):
        upload_of(one)
    hold = held(on.provider.organization_id if whose == "the provider" else on.dataset_id)
    with clock.stopped(clock.now() + LATER):
        with transaction():
            assert len(uploads.expire()) == 1
        assert [one.organization_id for one in db.session.scalars(select(Upload))] == [on.provider.organization_id]
        lifted(hold)
        with transaction():
            assert len(uploads.expire()) == 1
    assert rows(Upload) == 0


def test_tokens_and_tickets_of_an_organization_under_a_hold_stay(app: Flask) -> None:
    on, buyer, other = market.listed(), market.buyer(), market.buyer()
    made = market.bought(app, buyer, market.offered(on, kind=PriceKind.FREE))
    for who in (buyer, other):
        token_of(who)
    with transaction():
        db.session.execute(
            text("""
            INSERT INTO ticket (id, secret_sha256, grant_id, release_id, file_name, sha256, organization_id, client_id,
                                issued_at, begin_by)
            VALUES (:id, :sha, :grant, :release, 'a.csv', :sha, :organization, :client, now(), now() + interval '1 s')
            """),
            {
                "id": "tkt_" + "0" * 32, "sha": "a" * 64, "grant": made.grant_id, "release": on.release_id,
                "organization": buyer.organization_id, "client": buyer.client_id,
            },
        )  # fmt: skip
    hold = held(buyer.organization_id)
    with clock.stopped(clock.now() + LATER):
        access_tokens.forget_expired()
        tickets.forget()
        assert [one.client_id for one in db.session.scalars(select(AccessToken))] == [buyer.client_id]
        assert rows(Ticket) == 1
        lifted(hold)
        access_tokens.forget_expired()
        tickets.forget()
    assert (rows(AccessToken), rows(Ticket)) == (0, 0)


@pytest.mark.parametrize(
    "stands_on", ["it", "its issuer", "its recipient", "the order it is about", "the dataset of that"]
)
def test_the_database_lets_no_document_under_a_hold_go_even_after_its_time(app: Flask, stands_on: str) -> None:
    made = market.bought(app, market.buyer(), market.offered(market.listed()))
    document = db.session.scalars(select(Document).where(Document.about.contains([made.order.id]))).first()
    assert document is not None
    db.session.execute(text("ALTER TABLE document DISABLE TRIGGER document_unchanged"))
    old = {"id": document.id, "issued": date(2001, 1, 1), "until": date(2010, 3, 31)}
    db.session.execute(text("UPDATE document SET issued_on = :issued, retain_until = :until WHERE id = :id"), old)
    db.session.execute(text("ALTER TABLE document ENABLE TRIGGER document_unchanged"))
    hold = held({
        "it": document.id, "its issuer": document.issuer_organization_id,
        "its recipient": document.recipient_organization_id, "the order it is about": made.order.id,
        "the dataset of that": made.order.dataset_id,
    }[stands_on])  # fmt: skip
    gone = text("DELETE FROM document WHERE id = :id RETURNING id")
    with pytest.raises(IntegrityError, match="does not change"), db.session.begin_nested():
        db.session.execute(gone, {"id": document.id})
    lifted(hold)
    assert db.session.scalars(gone, {"id": document.id}).all() == [document.id]


@pytest.mark.parametrize("about", ["invoice", "grant", "offer"])
@pytest.mark.parametrize("on", ["order", "dataset"])
def test_a_hold_finds_the_documents_that_name_only_what_came_of_it(app: Flask, about: str, on: str) -> None:
    made, other = (market.bought(app, market.buyer(), market.offered(market.listed())) for _ in range(2))
    named = {"invoice": made.invoice_id, "grant": made.grant_id, "offer": made.order.offer_id}[about]
    with clock.stopped(datetime(2001, 1, 1, 3, tzinfo=UTC)), transaction():
        paper, free = (
            documents.issue(
                SYSTEM,
                DraftFactory(
                    transaction_on=clock.today(),
                    number=None,
                    lines=(LineFactory(tax_rate_basis_points=0),),
                    about=(one,),
                ),
            ).id
            for one in (named, other.grant_id)
        )
    hold = held(made.order.id if on == "order" else made.order.dataset_id)
    gone = text("DELETE FROM document WHERE id = :id RETURNING id")
    assert db.session.scalars(gone, {"id": free}).all() == [free]
    if (about, on) != ("offer", "order"):
        # An offer is of a dataset, and of no order.
        with pytest.raises(IntegrityError, match="does not change"), db.session.begin_nested():
            db.session.execute(gone, {"id": paper})
    lifted(hold)
    assert db.session.scalars(gone, {"id": paper}).all() == [paper]


def test_a_hold_is_on_the_record_without_its_words_and_is_lifted_once(app: Flask) -> None:
    buyer = market.buyer()
    hold = held(buyer.organization_id, "山田太郎との訴訟")
    second = held(buyer.organization_id)
    lifted(hold)
    with pytest.raises(HoldLifted):
        lifted(hold)
    told = db.session.scalars(
        select(Entry)
        .where(Entry.subject == buyer.organization_id, Entry.verb.like("audit.hold%"))
        .order_by(Entry.occurred_at)
    )
    assert [(one.verb, one.facts["hold_id"]) for one in told] == [
        ("audit.hold.placed", hold), ("audit.hold.placed", second), ("audit.hold.lifted", hold),
    ]  # fmt: skip
    assert "山田" not in "".join(db.session.scalars(select(Entry.canonical)))
    standing = select(Organization.id).where(holds.covering(Organization.id))
    assert db.session.scalars(standing).all() == [buyer.organization_id]


@pytest.mark.parametrize("subject", ["org", "ord", "doc", "ds", "grt"])
def test_a_hold_on_what_is_not_there_is_refused(app: Flask, subject: str) -> None:
    with pytest.raises(NotFound):
        held(f"{subject}_{'0' * 32}")
    assert holds.list_holds().items == []
