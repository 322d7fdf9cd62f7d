"""A deed whose entry cannot be written does not happen: money, rights, oversight, with a record that takes nothing."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial

import pytest
from flask import Flask
from sqlalchemy import select, text

from marketplace.access import service as access
from marketplace.access.states import Cause
from marketplace.audit import log_keys
from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.billing.payouts import service as payouts_service
from marketplace.cli import audit as audit_commands
from marketplace.exchange import cancellation, closing, download, listing, payout, purchase, refund
from marketplace.identity import service as identity
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock, notes, secret_files, settings
from marketplace.kit.db import db
from marketplace.kit.notes import VerifierKey
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import Cancellation, PriceKind, Rail
from marketplace.sandbox import controls
from tests.factories import market, money, payouts
from tests.faults import overseen, shop
from tests.faults.overseen import Deed, free_grant, in_one

# The gateway is another party. What it said is kept and how far it was heard, an event that could not be worked on says
# so, and the work waits to be done again.
OTHERS = (
    "sandbox_%", "stripe_event", "balance_transaction", "gateway_cursor", "procrastinate_%", "alembic_version",
)  # fmt: skip


def ordering(kind: PriceKind) -> Deed:
    who, offer = market.buyer(), market.offered(market.listed(), kind)
    return in_one(partial(purchase.place_order, who, offer.id, offer.terms_sha256))


def paying(app: Flask) -> Deed:
    made = market.ordered(market.buyer(), market.offered(market.listed()))
    assert market.visit(app, made).status_code == 303
    return market.learn


def revoking(_app: Flask) -> Deed:
    grant_id, on = free_grant()
    return in_one(partial(access.revoke, on.provider, grant_id, "契約の終了"))


def suspending(_app: Flask) -> Deed:
    return in_one(partial(access.suspend, SYSTEM, free_grant()[0], Cause.OVERDUE, "inv_1"))


def lifting(app: Flask) -> Deed:
    grant_id = free_grant()[0]
    with transaction():
        access.suspend(SYSTEM, grant_id, Cause.OVERDUE, "inv_1")
    return in_one(partial(access.lift, SYSTEM, grant_id, Cause.OVERDUE, "inv_1"))


def giving_back(app: Flask) -> Deed:
    return partial(money.give_back, money.sold(app), 1100, "req_1")


def sending_back(app: Flask) -> Deed:
    (opened,) = money.give_back(money.sold(app))
    return partial(refund.send, opened.id)


def contesting(app: Flask) -> Deed:
    controls.open_dispute(money.charge_of(money.sold(app)))
    return market.learn


def cancelling(app: Flask) -> Deed:
    who = market.buyer()
    made = money.sold(app, 10_000, who, duration_days=30, cancellation=Cancellation.PRO_RATA)
    return in_one(partial(cancellation.cancel, who, made.order.id))


def drawing(app: Flask) -> Deed:
    payouts.earned(app)
    return in_one(partial(payout.draw_all, SYSTEM))


def filing(app: Flask) -> Deed:
    operator = payouts.operator()
    payouts.drawn(operator, payouts.earned(app))
    return in_one(lambda: payouts_service.put_in_file(operator, clock.today()))


def paying_out(app: Flask) -> Deed:
    operator = payouts.operator()
    made = payouts.drawn(operator, payouts.earned(app)).id
    with transaction():
        payouts_service.put_in_file(operator, clock.today())
    return in_one(lambda: payout.note_paid(operator, made, clock.today()))


def settling(_app: Flask) -> Deed:
    who, on = market.buyer(), market.listed()
    offer = market.offered(on, PriceKind.PER_UNIT, 2**20, said={"rails": (Rail.INVOICE,)})
    market.fetched(who, str(market.ordered(who, offer).grant_id), acked=10)
    return lambda: closing.close(SYSTEM, clock.now() + timedelta(minutes=1))


def banking(app: Flask) -> Deed:
    invoice = money.invoice(money.on_credit(app))
    return partial(shop.transfer, invoice.number, invoice.amount_gross_yen)


def offering(_app: Flask) -> Deed:
    return partial(market.offered, market.listed())


def withdrawing(_app: Flask) -> Deed:
    on = market.listed()
    return in_one(partial(listing.withdraw_offer, on.provider, market.offered(on).id))


def opening(_app: Flask) -> Deed:
    who = market.buyer()
    grant_id = str(market.ordered(who, market.offered(market.listed(), PriceKind.FREE)).grant_id)

    def opened() -> None:
        download.open_delivery(who, market.wanted(grant_id)).file.close()

    return in_one(opened)


def delivering(_app: Flask) -> Deed:
    who = market.buyer()
    grant_id = str(market.ordered(who, market.offered(market.listed(), PriceKind.FREE)).grant_id)
    with transaction():
        opened = download.open_delivery(who, market.wanted(grant_id))
    opened.file.close()
    return partial(download.close_delivery, opened.delivery_id, opened.length, opened.length, "complete")


def shutting_out(_app: Flask) -> Deed:
    operator, who = market.party(operator=True), market.buyer()
    return in_one(partial(identity.suspend_organization, operator, who.organization_id, "不正利用"))


def rearming(_app: Flask) -> Deed:
    who = market.buyer()
    return in_one(partial(identity.rotate_client_secret, who, str(who.client_id)))


STORIES: dict[str, Callable[[Flask], Deed]] = {
    "an order": lambda _app: ordering(PriceKind.ONE_OFF),
    "a free grant": lambda _app: ordering(PriceKind.FREE),
    "a payment": paying,
    "a revocation": revoking,
    "a suspension": suspending,
    "the end of a suspension": lifting,
    "a refund": giving_back,
    "a refund that is sent": sending_back,
    "a dispute": contesting,
    "a cancellation": cancelling,
    "a payout": drawing,
    "a file of transfers": filing,
    "a payout that has arrived": paying_out,
    "a bill of usage": settling,
    "money on the bank account": banking,
    "an offer": offering,
    "the end of an offer": withdrawing,
    "a download": opening,
    "the end of a download": delivering,
    "an organization that is shut out": shutting_out,
    "a client's secret": rearming,
    **overseen.STORIES,
}


def contents() -> dict[str, str]:
    """A digest of every table of ours."""
    ours = " AND ".join(f"table_name NOT LIKE '{one}'" for one in OTHERS)
    named = f"SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND {ours}"
    db.session.rollback()
    with transaction():
        tables = db.session.scalars(text(f"{named} AND table_type = 'BASE TABLE'")).all()
        digest = "SELECT md5(coalesce(string_agg(md5(t::text), '' ORDER BY md5(t::text)), '')) FROM \"{}\" t"
        return {table: db.session.execute(text(digest.format(table))).scalar_one() for table in tables}


def fill_record() -> None:
    """Let the database refuse entries, as where its disk is full."""
    with transaction():
        db.session.execute(text("CREATE FUNCTION full_record() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the record is full'; END $$"))  # fmt: skip
        db.session.execute(text("CREATE TRIGGER full_record BEFORE INSERT ON audit_entry FOR EACH ROW EXECUTE FUNCTION full_record()"))  # fmt: skip


def empty_record() -> None:
    """Let the database take entries again."""
    db.session.rollback()
    with transaction():
        db.session.execute(text("DROP FUNCTION full_record CASCADE"))


@pytest.mark.parametrize("story", STORIES)
def test_a_deed_whose_entry_cannot_be_written_does_not_happen(own_database: Flask, story: str) -> None:
    deed = STORIES[story](own_database)
    before = contents()
    fill_record()
    with suppress(Exception):  # some stories are tried again later, and say so in the log
        deed()
    assert changed(before) == set()
    empty_record()
    with clock.stopped(clock.now() + timedelta(hours=1)):
        deed()
    assert {"audit_entry"} < changed(before)


def changed(before: dict[str, str]) -> set[str]:
    """The tables that are not what they were."""
    now = contents()
    return {table for table in now if now[table] != before[table]}


def test_a_key_of_the_log_that_cannot_be_recorded_is_neither_made_nor_dropped(own_database: Flask) -> None:
    log_keys.rotate()
    before = settings.current().log_key_path.read_bytes()

    def refuse(_keys: Sequence[VerifierKey]) -> None:
        raise ZeroDivisionError

    for deed in (log_keys.rotate, log_keys.prune):
        with pytest.raises(ZeroDivisionError):
            deed(refuse)
        assert settings.current().log_key_path.read_bytes() == before


def test_a_key_of_the_log_is_on_the_record_for_good_before_the_file_is_another(
    own_database: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies between the two."""
    log_keys.rotate()
    path = settings.current().log_key_path
    before = path.read_bytes()
    monkeypatch.setattr(secret_files, "replace", lambda _path, _content: 1 / 0)
    for verb, deed in ((Verb.LOG_KEY_ADDED, log_keys.rotate), (Verb.LOG_KEY_DROPPED, log_keys.prune)):
        with pytest.raises(ZeroDivisionError):
            deed(partial(audit_commands._note_keys, verb))
        db.session.rollback()
        told = db.session.scalars(select(Entry.facts).where(Entry.verb == verb)).one()
        assert notes.read_key(told["vkey"]).name == log_keys.origin()
        assert path.read_bytes() == before
