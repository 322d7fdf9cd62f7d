"""The database itself refuses to change what was agreed."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from marketplace.licensing import service
from marketplace.licensing.rules import Price
from marketplace.licensing.states import PriceKind
from tests.factories import licensing as make


@pytest.fixture
def offer(session):
    made = make.offer_of(make.provider())
    service.accept_terms(make.buyer(), made.terms_sha256)
    return made


def refused(session, statement, error=DBAPIError, **values):
    with pytest.raises(error) as caught, session.begin_nested():
        session.execute(text(statement), values)
    return str(caught.value.orig)


@pytest.mark.parametrize(
    "change",
    [
        'document = document || \'{"fee": "free"}\'',
        "sha256 = repeat('0', 64)",
        "title_ja = '改題'",
        "organization_id = organization_id",
    ],
)
def test_terms_cannot_be_changed(session, offer, change):
    assert "append-only" in refused(session, f"UPDATE terms SET {change} WHERE id = '{offer.terms_id}'")


@pytest.mark.parametrize("change", ["accepted_at = now()", "terms_sha256 = repeat('0', 64)", "client_id = NULL"])
def test_acceptances_cannot_be_changed(session, offer, change):
    assert "append-only" in refused(session, f"UPDATE acceptance SET {change}")


@pytest.mark.parametrize("table", ["terms", "offer", "acceptance"])
def test_nothing_can_be_deleted(session, offer, table):
    assert "append-only" in refused(session, f"DELETE FROM {table}")


@pytest.mark.parametrize("table", ["terms", "offer", "acceptance"])
def test_no_table_can_be_emptied(session, offer, table):
    assert "append-only" in refused(session, f"TRUNCATE {table} CASCADE")


@pytest.mark.parametrize(
    "change",
    [
        "amount_yen = 1",
        "price_kind = 'per_unit'",
        "price = price || '{\"amount_yen\": 1}'",
        "rails = '[\"invoice\"]'",
        'shares = \'[{"organization_id": "org_1", "basis_points": 10000}]\'',
        'discounts = \'[{"class": "sme", "basis_points": 1}]\'',
        "buyer_organization_id = (SELECT id FROM organization WHERE id <> offer.organization_id LIMIT 1)",
        "valid_until = now() + interval '1 day'",
        "fee_ordinance = '条例'",
        "terms_sha256 = repeat('0', 64)",
        "quota_bytes = 1",
        "dataset_id = dataset_id",
        "state = 'open'",
        "state = 'withdrawn', amount_yen = 1",
        "state = 'superseded', version = 2",
        "state = 'gone'",
    ],
)
def test_of_an_offer_nothing_moves_but_its_state(session, offer, change):
    assert "only moves from open" in refused(session, f"UPDATE offer SET {change} WHERE id = '{offer.id}'")


@pytest.mark.parametrize("end", ["superseded", "withdrawn"])
def test_a_closed_offer_never_moves_again(session, offer, end):
    session.execute(text(f"UPDATE offer SET state = '{end}' WHERE id = :id"), {"id": offer.id})
    for state in ("open", "superseded", "withdrawn"):
        assert "only moves from open" in refused(session, f"UPDATE offer SET state = '{state}' WHERE id = '{offer.id}'")


COPY = (
    """INSERT INTO offer SELECT (jsonb_populate_record(offer, CAST(:changes AS jsonb))).* FROM offer WHERE id = :id"""
)
NEW_ID = '"id": "ofr_00000000000000000000000000000001"'


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ('"amount_yen": -1', "ck_offer_amount_yen"),
        ('"amount_yen": 1000000000000', "ck_offer_amount_yen"),
        ('"amount_yen": 0', "ck_offer_amount_yen"),
        ('"price_kind": "free"', "ck_offer_amount_yen"),
        ('"price_kind": "barter", "amount_yen": 0, "price": {"kind": "barter"}', "ck_offer_price_kind"),
        ('"amount_yen": 6000', "ck_offer_price"),
        ('"price": {"kind": "one_off", "amount_yen": 6000}', "ck_offer_price"),
        ('"price": {"kind": "free", "amount_yen": 5000}', "ck_offer_price"),
        ('"price": {}', "ck_offer_price"),
        ('"rails": []', "ck_offer_rails"),
        ('"rails": ["prepaid"]', "ck_offer_rails"),
        ('"rails": "card"', "ck_offer_rails"),
        ('"shares": []', "ck_offer_shares"),
        ('"discounts": {}', "ck_offer_discounts"),
        ('"fee_ordinance": ""', "ck_offer_fee_ordinance"),
        ('"buyer_organization_id": "org_none"', "fk_offer_buyer_organization_id"),
        ('"duration_days": 0', "ck_offer_duration_days"),
        ('"quota_bytes": 0', "ck_offer_quota_bytes"),
        ('"quota_downloads": -1', "ck_offer_quota_downloads"),
        ('"quota_rows": 0', "ck_offer_quota_rows"),
        ('"quota_requests": 0', "ck_offer_quota_requests"),
        ('"quota_streams": 0', "ck_offer_quota_streams"),
        ('"release_scope": "some"', "ck_offer_release_scope"),
        ('"state": "gone"', "ck_offer_state"),
        ('"version": 0', "ck_offer_version"),
        ('"version": 2', "ck_offer_version"),
        ('"terms_sha256": "' + "0" * 64 + '"', "fk_offer_terms_id"),
        ('"dataset_id": "ds_none"', "fk_offer_dataset_id"),
    ],
)
def test_an_unsound_offer_does_not_get_in(session, offer, changes, constraint):
    said = refused(session, COPY, IntegrityError, id=offer.id, changes="{" + NEW_ID + ", " + changes + "}")
    assert constraint in said


def test_the_chain_of_versions_does_not_fork(session, offer):
    actor = make.provider()
    first = make.offer_of(actor)
    second = service.supersede_offer(
        actor, first.id, make.draft_for(actor, dataset_id=first.dataset_id, price=Price(PriceKind.ONE_OFF, 60))
    )
    said = refused(session, COPY, IntegrityError, id=second.id, changes="{" + NEW_ID + "}")
    assert "uq_offer_supersedes" in said


def test_an_organization_accepts_terms_once(session, offer):
    copy = "INSERT INTO acceptance SELECT 'acc_2', organization_id, client_id, member_id, terms_sha256, now() FROM acceptance"
    assert "uq_acceptance_organization_id_terms_sha256" in refused(session, copy, IntegrityError)
