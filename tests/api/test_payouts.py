"""Payouts on the wire: who may name, draw, approve, fetch and note what, and what is refused."""

from datetime import timedelta

import pytest

from marketplace.billing import sales
from marketplace.identity.actors import SYSTEM
from marketplace.identity.models import Organization
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.api.routes import PAYOUT_ACCOUNT
from tests.api.trade import Market, Party, fresh_key, ok, refused, row_counts
from tests.factories.identity import ApiClientFactory


def today() -> str:
    return clock.today().isoformat()


def named(who: Party, **changes: object):
    return who.call("PUT", "/v1/payout-account", json=PAYOUT_ACCOUNT | changes)


def earned(market: Market, yen: int = 20_000) -> None:
    """A sale of the provider whose hold period is over, and an account for its money."""
    market.bought(market.goods(), "one_off", price={"kind": "one_off", "amount_yen": yen})
    ok(named(market.provider))
    with transaction():
        sales.release_due(SYSTEM, clock.today() + timedelta(days=60))


def drawn(market: Market) -> dict:
    [made] = ok(market.operator.post("/v1/payouts", {}), 201)["items"]
    return made


def second_person(market: Market) -> Party:
    """Another client of the operator."""
    first = market.operator
    client = ApiClientFactory(organization=db.session.get(Organization, first.organization_id))
    db.session.commit()
    other = Party(first.app, "second", first.organization_id, client.id)
    return other.with_scopes("market:operate", "market:read", "payouts:read")


def test_an_account_is_named_by_its_owner_in_any_width_of_kana_and_seen_by_nobody_else(market: Market) -> None:
    refused(market.provider.get("/v1/payout-account"), 404, "payout-account-missing")
    for kana in ("カ）サッポロデータ", "ｶ)ｻｯﾎﾟﾛﾃﾞｰﾀ"):
        assert ok(named(market.provider, holder_kana=kana))["holder_kana"] == "ｶ)ｻﾂﾎﾟﾛﾃﾞ-ﾀ"
    first = ok(market.provider.get("/v1/payout-account"))
    later = ok(named(market.provider, account_number="7654321"))
    assert first["receipt_agency_at"] == later["receipt_agency_at"]
    refused(market.rival.get("/v1/payout-account"), 404, "payout-account-missing")
    refused(market.buyer.get("/v1/payout-account"), 403, "insufficient-scope")


@pytest.mark.parametrize(
    ("changes", "slug", "pointer"),
    [
        ({"is_business": False}, "payee-not-business", "/is_business"),
        ({"country": "US"}, "payee-abroad", "/country"),
        ({"holder_kana": "ｱ,1"}, "invalid-input", "/holder_kana"),
        ({"holder_kana": "札幌"}, "invalid-input", "/holder_kana"),
        ({"holder_kana": "ア\r\n8,1,1"}, "invalid-input", "/holder_kana"),
        ({"bank_code": "０５０１"}, "invalid-input", "/bank_code"),
        ({"account_number": 123456}, "invalid-input", "/account_number"),
        ({"account_type": "3"}, "invalid-input", "/account_type"),
        ({"accepts_receipt_agency": False}, "invalid-input", "/accepts_receipt_agency"),
        ({"connect_account_id": "acct_'--"}, "invalid-input", "/connect_account_id"),
        ({"iban": "DE00"}, "invalid-input", "/iban"),
    ],
)
def test_accounts_that_cannot_be_paid_are_refused(market: Market, changes, slug: str, pointer: str) -> None:
    before = row_counts()
    refused(named(market.provider, **changes), 422, slug, pointer)
    assert row_counts() == before


def test_a_payout_goes_from_payable_to_paid_and_every_deed_may_be_repeated(market: Market) -> None:
    earned(market)
    [own] = ok(market.provider.get("/v1/payables"))["items"]
    assert (own["amount_yen"], own["offset_yen"], own["pending_yen"]) == (19_800, 0, 0)
    assert ok(market.rival.get("/v1/payables"))["items"] == []
    key = fresh_key()
    first, again = (ok(market.operator.post("/v1/payouts", {}, key=key), 201) for _ in range(2))
    assert first == again
    [made] = first["items"]
    assert (made["amount_yen"], made["state"], made["account"]["account_number"]) == (19_800, "approved", "****456")
    refused(
        market.operator.post("/v1/payouts", {"organization_id": market.provider.organization_id}),
        409,
        "nothing-to-draw",
    )
    file = ok(market.operator.post("/v1/payout-files", {"transfer_on": today()}), 201)
    assert (file["payouts"], file["amount_yen"]) == (1, 19_800)
    refused(market.operator.post("/v1/payout-files", {"transfer_on": today()}), 409, "nothing-to-transfer")
    for _ in range(2):
        address = f"/v1/payouts/{made['id']}/paid"
        assert ok(market.operator.post(address, {"paid_on": today()}))["state"] == "paid"
    seen = ok(market.provider.get(f"/v1/payouts/{made['id']}"))
    assert (seen["state"], seen["file_id"], seen["paid_on"]) == ("paid", file["id"], today())
    kinds = [one["kind"] for one in ok(market.provider.get(f"/v1/documents?about={made['id']}"))["items"]]
    assert sorted(kinds) == ["commission_invoice", "purchase_statement"]
    for _ in range(2):
        address = f"/v1/payouts/{made['id']}/failed"
        assert ok(market.operator.post(address, {"reason": "口座相違"}))["failure"] == "口座相違"
    assert ok(market.auditor.get("/v1/payables"))["items"][0]["amount_yen"] == 19_800


def test_a_file_is_fetched_again_as_the_same_bytes_of_the_banks_character_set(market: Market) -> None:
    earned(market)
    drawn(market)
    file = ok(market.operator.post("/v1/payout-files", {"transfer_on": today()}), 201)
    first, again = (market.operator.get(f"/v1/payout-files/{file['id']}") for _ in range(2))
    assert first.data == again.data == market.auditor.get(f"/v1/payout-files/{file['id']}").data
    assert "ｶ)ｻﾂﾎﾟﾛﾃﾞ-ﾀ,19800" in first.data.decode("cp932")
    assert first.headers["Content-Disposition"] == f'attachment; filename="{file["id"]}.csv"'
    refused(market.provider.get(f"/v1/payout-files/{file['id']}"), 403, "insufficient-scope")
    refused(market.operator.get("/v1/payout-files/pyf_x"), 404, "payout-file-not-found")


def test_above_the_threshold_two_clients_of_the_operator_approve(market: Market) -> None:
    earned(market, 1_200_000)
    made = drawn(market)
    assert made["state"] == "created"
    address = f"/v1/payouts/{made['id']}"
    refused(market.operator.post(f"{address}/approve"), 403, "second-person-needed")
    refused(market.operator.post(f"{address}/sent"), 409, "payout-moved")
    second = second_person(market)
    assert ok(second.post(f"{address}/approve"))["state"] == "approved"
    assert ok(market.operator.post(f"{address}/sent"))["state"] == "sent"
    refused(second.post(f"{address}/cancel"), 409, "payout-moved")


@pytest.mark.parametrize("body", [{"paid_on": "2126-01-01"}, {"paid_on": "2000-01-01"}, {"paid_on": "now"}, {}])
def test_a_day_on_which_nothing_was_paid_is_refused(market: Market, body) -> None:
    earned(market)
    made = drawn(market)
    ok(market.operator.post("/v1/payout-files", {"transfer_on": today()}), 201)
    before = row_counts()
    refused(market.operator.post(f"/v1/payouts/{made['id']}/paid", body), 422, "invalid-input", "/paid_on")
    assert row_counts() == before


def test_nobody_is_asked_for_what_it_does_not_owe(market: Market) -> None:
    earned(market)
    wish = {"organization_id": market.provider.organization_id}
    refused(market.operator.post("/v1/payouts/claims", wish), 409, "nothing-to-claim")
    refused(market.provider.post("/v1/payouts/claims", wish), 403, "insufficient-scope")


def test_a_provider_reads_its_revenue_as_json_and_csv_and_overseers_that_of_all(market: Market) -> None:
    earned(market)
    [row] = ok(market.provider.get("/v1/revenue"))["items"]
    assert (row["net_yen"], row["tax_yen"], row["commission_yen"], row["commission_tax_yen"]) == (
        20_000,
        2_000,
        2_000,
        200,
    )
    assert (row["payable_yen"], row["buyer_kind"], row["sales"]) == (19_800, "company", 1)
    assert ok(market.auditor.get("/v1/revenue"))["items"] == [row]
    assert ok(market.rival.get("/v1/revenue"))["items"] == []
    assert ok(market.provider.get("/v1/revenue?date_to=2020-01-01"))["items"] == []
    answer = market.provider.get("/v1/revenue?format=csv")
    assert answer.data.startswith(b"\xef\xbb\xbf")
    assert answer.content_type == "text/csv; charset=utf-8"
    refused(market.provider.get("/v1/revenue?format=xls"), 422, "invalid-input", "/format")
