"""Documents on the wire: found, read in three forms, issued on demand, corrected; nobody else's."""

import hashlib
import io
from dataclasses import replace

import pypdfium2
import pytest

from marketplace.billing.documents.errors import DocumentNotFound
from marketplace.billing.documents.papers import Changes
from marketplace.billing.documents.rules import Remark
from marketplace.exchange import paperwork
from marketplace.identity.actors import Actor
from marketplace.identity.states import Capacity
from marketplace.kit import settings
from marketplace.kit.transaction import transaction
from tests.api.trade import Goods, Market, fresh_key, ok


@pytest.fixture
def bought(market: Market, goods: Goods) -> dict:
    return market.bought(goods, "one_off")


def invoice_of(market: Market, bought: dict) -> dict:
    found = ok(market.buyer.get(f"/v1/documents?about={bought['invoice_id']}&kind=invoice"))
    return found["items"][0]


def keyed(party, path: str, body: dict):
    return party.call("POST", path, json=body, headers={"Idempotency-Key": fresh_key()})


def test_a_purchase_leaves_its_papers_to_both_parties(market: Market, bought: dict) -> None:
    for party in (market.buyer, market.provider):
        kinds = [one["kind"] for one in ok(party.get(f"/v1/documents?about={bought['id']}"))["items"]]
        assert sorted(kinds) == ["invoice", "receipt"]
    found = invoice_of(market, bought)
    assert ok(market.buyer.get(f"/v1/documents?number={found['number']}&amount_from=12000"))["items"] == [found]
    assert ok(market.buyer.get(f"/v1/documents?number={found['number']}&amount_to=11999"))["items"] == []


def test_the_canonical_json_has_the_hash_that_names_it(market: Market, bought: dict) -> None:
    found = invoice_of(market, bought)
    answer = market.buyer.get(f"/v1/documents/{found['id']}.json")
    assert hashlib.sha256(answer.data).hexdigest() == found["content_sha256"]
    assert ok(market.buyer.get(f"/v1/documents/{found['id']}"))["content"] == answer.get_json()


def test_a_document_comes_as_pdf_and_xml_by_address_and_by_accept(market: Market, bought: dict) -> None:
    path = f"/v1/documents/{invoice_of(market, bought)['id']}"
    for extension, media_type in (("pdf", "application/pdf"), ("xml", "application/xml")):
        direct = market.buyer.get(f"{path}.{extension}")
        negotiated = market.buyer.call("GET", path, headers={"Accept": media_type})
        assert (direct.status_code, direct.mimetype) == (200, media_type)
        assert direct.data == negotiated.data
        assert direct.headers["Content-Disposition"].endswith(f'.{extension}"')
    with pypdfium2.PdfDocument(io.BytesIO(market.buyer.get(f"{path}.pdf").data)) as pdf:
        assert "請求書" in pdf[0].get_textpage().get_text_bounded()


def test_others_find_nothing_and_overseers_all(market: Market, bought: dict) -> None:
    found = invoice_of(market, bought)
    for extension in ("", ".json", ".pdf", ".xml"):
        path = f"/v1/documents/{found['id']}{extension}"
        assert market.stranger.get(path).status_code == 404
        assert market.auditor.get(path).status_code == 200
    assert ok(market.stranger.get(f"/v1/documents?number={found['number']}"))["items"] == []


@pytest.mark.parametrize(
    "query",
    ["kind=bill", "amount_from=1.5", "amount_to=x", "transacted_from=2026-13-01", "counterparty=x", "size=0",
     "cursor=x", "colour=red", f"amount_from={2**70}", "number=%0a"],
)  # fmt: skip
def test_hostile_searches_are_refused(market: Market, query: str) -> None:
    assert market.buyer.get(f"/v1/documents?{query}").status_code == 422


def test_a_search_for_what_no_text_holds_is_no_request(market: Market) -> None:
    assert market.buyer.get("/v1/documents?about=%00").status_code == 400


def test_a_quote_pins_the_offer_s_version_and_is_asked_once_per_key(market: Market, goods: Goods) -> None:
    offer = market.offer(goods.dataset_id, "one_off")
    headers = {"Idempotency-Key": fresh_key()}
    first = market.buyer.call("POST", "/v1/quotes", json={"offer_id": offer["id"]}, headers=headers)
    again = market.buyer.call("POST", "/v1/quotes", json={"offer_id": offer["id"]}, headers=headers)
    quote = ok(first, 201)
    assert ok(again, 201)["id"] == quote["id"]
    facts = quote["content"]["facts"]
    assert (facts["offer_id"], facts["offer_version"]) == (offer["id"], str(offer["version"]))
    assert facts["terms_sha256"] == offer["terms_sha256"]
    assert quote["content"]["valid_until"] > quote["issued_on"]
    assert int(quote["content"]["amount_net_yen"]) == 12_000
    assert market.buyer.get(f"/v1/documents/{quote['id']}.xml").status_code == 406
    assert keyed(market.buyer, "/v1/quotes", {"offer_id": "ofr_" + "0" * 32}).status_code == 404


def test_order_papers_and_acceptance_are_issued_once_to_the_buyer_alone(market: Market, bought: dict) -> None:
    order, grant = f"/v1/orders/{bought['id']}/papers", f"/v1/grants/{bought['grant_id']}/inspection"
    papers = ok(market.buyer.post(order, {}), 201)
    assert ok(market.buyer.post(order, {}), 201) == papers
    placed, acknowledged = papers["purchase_order"], papers["order_acknowledgement"]
    assert placed["issuer_organization_id"] == acknowledged["recipient_organization_id"]
    assert placed["amount_yen"] == acknowledged["amount_yen"] == bought["amount_gross_yen"]
    accepted = ok(market.buyer.post(grant, {"remark_ja": "問題なし"}), 201)
    assert ok(market.buyer.post(grant, {}), 201)["id"] == accepted["id"]
    assert accepted["content"]["remarks"] == [{"ja": "問題なし", "en": "問題なし"}]
    assert accepted["content"]["facts"]["grant_id"] == bought["grant_id"]
    for path in (order, grant):
        assert market.stranger.post(path, {}).status_code in {403, 404}


def test_the_issuer_alone_corrects_and_once(market: Market, bought: dict) -> None:
    found = invoice_of(market, bought)
    path, body = f"/v1/documents/{found['id']}/corrections", {"reason_ja": "宛名", "reason_en": "Name"}
    changed = body | {"recipient_name_ja": "株式会社正しい宛名"}
    corrected = ok(keyed(market.provider, path, changed), 201)
    assert corrected["corrects"] == found["id"]
    assert corrected["amount_yen"] == found["amount_yen"]
    assert ok(keyed(market.provider, path, changed), 201)["id"] == corrected["id"]
    assert keyed(market.provider, path, body | {"recipient_name_ja": "別"}).status_code == 409
    assert keyed(market.buyer, path, body).status_code == 403
    assert keyed(market.provider, path, body | {"amount_yen": 1}).status_code == 422


def test_a_correction_states_no_registration_number_but_the_issuers_own(market: Market, bought: dict) -> None:
    path = f"/v1/documents/{invoice_of(market, bought)['id']}/corrections"
    body = {"reason_ja": "登録番号", "reason_en": "Registration number", "issuer_registration_number": "T1234567890123"}
    refused = keyed(market.provider, path, body)
    assert refused.status_code == 422
    assert refused.json["errors"][0]["pointer"] == "/issuer_registration_number"
    number = f"T{ok(market.provider.get('/v1/organizations/me'))['corporate_number']}"
    recorded = {"number": number, "valid_from": "2024-04-01"}
    ok(market.operator.post(f"/v1/organizations/{market.provider.organization_id}/registrations", recorded), 201)
    corrected = ok(keyed(market.provider, path, body | {"issuer_registration_number": number}), 201)
    assert corrected["content"]["issuer"]["registration_number"] == number


def test_an_auditor_who_sells_besides_corrects_its_own_papers_alone(market: Market, bought: dict) -> None:
    found = invoice_of(market, bought)
    both = Actor(market.stranger.organization_id, capacities=frozenset({Capacity.PROVIDER, Capacity.AUDITOR}))
    with pytest.raises(DocumentNotFound), transaction():
        paperwork.correct(both, found["id"], Changes(recipient_name_ja="別"), Remark("別", "other"))


def test_rounding_and_registrations_are_set_by_those_who_may(market: Market, bought: dict) -> None:
    assert market.provider.post("/v1/documents/rounding", {"tax_rounding": "ceil"}).status_code == 409
    assert ok(market.provider.post("/v1/documents/rounding", {"tax_rounding": "floor"})) == {"tax_rounding": "floor"}
    path = f"/v1/organizations/{market.provider.organization_id}/registrations"
    own = ok(market.provider.get("/v1/organizations/me"))["corporate_number"]
    record = {"number": f"T{own}", "valid_from": "2024-04-01", "valid_to": "2026-06-30"}
    assert market.provider.post(path, record).status_code == 403
    assert ok(market.operator.post(path, record), 201)["valid_to"] == "2026-06-30"
    assert market.operator.post(path, record | {"number": "T1"}).status_code == 422
    assert market.stranger.get(path).status_code == 404
    [recorded] = ok(market.provider.get("/v1/organizations/me/registrations"))
    assert recorded["number"] == f"T{own}"


def test_as_principal_the_exchange_is_the_issuer_with_its_own_number(
    market: Market, goods: Goods, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = replace(settings.current(), seller="principal")
    monkeypatch.setattr(settings, "current", lambda: chosen)
    number = "T" + ok(market.operator.get("/v1/organizations/me"))["corporate_number"]
    path = f"/v1/organizations/{market.operator.organization_id}/registrations"
    ok(market.operator.post(path, {"number": number, "valid_from": "2023-10-01"}), 201)
    found = invoice_of(market, market.bought(goods, "one_off"))
    assert found["issuer_organization_id"] == market.operator.organization_id
    content = ok(market.buyer.get(f"/v1/documents/{found['id']}"))["content"]
    assert content["issuer"]["registration_number"] == number
    assert content["delivered_by"] is None
    assert content["transitional_credit_percent"] is None
