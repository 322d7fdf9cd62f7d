"""Organizations, members and clients on the wire."""

import re

import pytest

from marketplace.demo.cast import corporate_number
from marketplace.identity.errors import CorporateNumberTaken
from marketplace.kit import mail
from tests.api.trade import Market, Party, call, ok, refused, row_counts
from tests.identity.joining.steps import confirm, tokens_to

APPLICATION = {
    "name_ja": "株式会社石狩商会", "name_en": "Ishikari Shokai", "kind": "company", "capacities": ["buyer"],
    "contact_name": "佐藤 花子", "contact_email": "hanako@ishikari.example",
}  # fmt: skip


def confirm_latest(*, keep_client: bool = False) -> None:
    """Confirm the application whose letter came last."""
    confirm(tokens_to(APPLICATION["contact_email"])[-1], keep_client=keep_client)


def token_of(market: Market, client: dict[str, str]) -> Party:
    """The party of a client that asks for a token as any client does."""
    form = {"grant_type": "client_credentials", "client_id": client["id"], "client_secret": client["secret"]}
    granted = ok(call(market.app, "POST", "/oauth/token", data=form))
    return Party(market.app, "client", client["organization_id"], client["id"], granted["access_token"])


def test_anybody_applies_and_trades_once_verified(market: Market) -> None:
    answer = market.nobody.post("/v1/organizations", APPLICATION)
    admitted = ok(answer, 201)
    organization = admitted["organization"]
    assert answer.headers["Location"] == f"/v1/organizations/{organization['id']}"
    assert organization["state"] == "unchecked"
    applicant = token_of(market, admitted["client"])
    assert ok(applicant.get("/v1/organizations/me")) == organization
    refused(applicant.get("/v1/orders"), 403, "insufficient-scope")
    path = answer.headers["Location"]
    refused(market.operator.post(f"{path}/verify"), 404, "not-found")
    confirm_latest(keep_client=True)
    assert ok(applicant.get("/v1/organizations/me"))["state"] == "applied"
    refused(market.operator.post(f"{path}/verify"), 422, "approval-reason-missing")
    verified = ok(market.operator.post(f"{path}/verify", {"reason": "登記簿で確認した。"}))
    assert (verified["state"], verified["trust"]) == ("verified", "verified")
    assert ok(token_of(market, admitted["client"]).get("/v1/orders"))["items"] == []
    refused(market.operator.post(f"{path}/verify"), 409, "organization-move-refused")


def test_suspending_kills_tokens_at_once_and_verifying_lifts_it(market: Market) -> None:
    path = f"/v1/organizations/{market.buyer.organization_id}"
    ok(market.buyer.get("/v1/orders"))
    assert ok(market.operator.post(f"{path}/suspend", {"reason": "未払い"}))["state"] == "suspended"
    refused(market.buyer.get("/v1/orders"), 401, "invalid-token")
    ok(market.operator.post(f"{path}/verify"))
    refused(market.buyer.get("/v1/orders"), 401, "invalid-token")
    ok(market.buyer.with_scopes("orders:read").get("/v1/orders"))
    refused(
        market.operator.post(f"/v1/organizations/{market.operator.organization_id}/suspend", {"reason": "x"}),
        409,
        "own-suspension",
    )


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [({"corporate_number": "1234567890123"}, "/corporate_number"), ({"kind": "municipality"}, "/local_government_code"),
     ({"invoice_registration_number": "T1"}, "/invoice_registration_number"), ({"capacities": []}, "/capacities"), ({"name_ja": " "}, "/name_ja"),
     ({"name_en": "石狩"}, "/name_en"), ({"capacities": "buyer"}, "/capacities"), ({"kind": "cult"}, "/kind"), ({"name_en": "a\u202eb"}, "/name_en")],
)  # fmt: skip
def test_an_application_that_cannot_be_true_is_pointed_at(market: Market, changes, pointer: str) -> None:
    before = row_counts()
    refused(market.nobody.post("/v1/organizations", APPLICATION | changes), 422, "invalid-input", pointer)
    assert row_counts() == before


def test_a_corporate_number_takes_part_once(market: Market) -> None:
    application = APPLICATION | {"corporate_number": corporate_number(77)}
    ok(market.nobody.post("/v1/organizations", application), 201)
    confirm_latest()
    # The answer does not tell that somebody has the number; who reads the letter is told.
    other = APPLICATION | {"corporate_number": corporate_number(78), "name_ja": "別名"}
    answers = [ok(market.nobody.post("/v1/organizations", body), 201) for body in (other, application)]
    assert {tuple(sorted(answer["organization"])) for answer in answers} == {tuple(sorted(answers[0]["organization"]))}
    assert {answer["organization"]["state"] for answer in answers} == {"unchecked"}
    before = row_counts()
    with pytest.raises(CorporateNumberTaken):
        confirm_latest()
    assert row_counts() == before


def test_overseers_list_organizations_by_state(market: Market) -> None:
    applied = ok(market.nobody.post("/v1/organizations", APPLICATION), 201)["organization"]["id"]
    unchecked = {"query_string": {"state": "unchecked"}}
    assert ok(market.auditor.get("/v1/organizations", **unchecked))["items"] == []
    refused(market.operator.get(f"/v1/organizations/{applied}"), 404, "not-found")
    confirm_latest()
    found = ok(market.auditor.get("/v1/organizations", query_string={"state": "applied"}))["items"]
    assert [organization["id"] for organization in found] == [applied]
    refused(market.auditor.get("/v1/organizations", query_string={"state": "gone"}), 422, "invalid-input", "/state")
    refused(market.buyer.get("/v1/organizations"), 403, "insufficient-scope")
    assert ok(market.auditor.get(f"/v1/organizations/{applied}"))["id"] == applied
    refused(market.buyer.get(f"/v1/organizations/{applied}"), 404, "not-found")


def test_members_are_the_organizations_own_affair(market: Market) -> None:
    path = "/v1/organizations/me/members"
    person = {"name": "佐藤 花子", "email": "hanako@example.jp", "role": "finance"}
    member = ok(market.buyer.post(path, person), 201)
    assert {name: member[name] for name in person} == person
    refused(market.buyer.post(path, person | {"name": "別人"}), 409, "email-taken")
    refused(market.auditor.get(f"/v1/organizations/{market.buyer.organization_id}/members"), 404, "not-found")
    refused(market.stranger.call("DELETE", f"{path}/{member['id']}"), 404, "not-found")
    assert market.buyer.call("DELETE", f"{path}/{member['id']}").status_code == 204
    refused(market.buyer.call("DELETE", f"{path}/{member['id']}"), 404, "not-found")
    assert ok(market.buyer.get(path))["items"] == []


def test_a_members_role_is_changed_and_the_last_owner_stays_one(market: Market) -> None:
    path = "/v1/organizations/me/members"
    owner, other = (ok(market.buyer.post(path, {"name": name, "role": "owner"}), 201) for name in ("佐藤", "鈴木"))
    refused(market.stranger.call("PATCH", f"{path}/{other['id']}", json={"role": "buyer"}), 404, "not-found")
    for wrong in ({"role": "emperor"}, {}, {"role": "buyer", "name": "別名"}):
        refused(market.buyer.call("PATCH", f"{path}/{other['id']}", json=wrong), 422, "invalid-input")
    changed = ok(market.buyer.call("PATCH", f"{path}/{other['id']}", json={"role": "buyer"}))
    assert changed == other | {"role": "buyer"}
    refused(market.buyer.call("PATCH", f"{path}/{owner['id']}", json={"role": "finance"}), 409, "last-owner")
    refused(market.buyer.call("DELETE", f"{path}/{owner['id']}"), 409, "last-owner")
    assert {one["id"]: one["role"] for one in ok(market.buyer.get(path))["items"]} == {
        owner["id"]: "owner", other["id"]: "buyer"
    }  # fmt: skip


def test_a_member_is_invited_by_mail_to_sign_in(market: Market) -> None:
    path = "/v1/organizations/me/members"
    silent = ok(market.buyer.post(path, {"name": "佐藤 花子", "role": "buyer"}), 201)
    member = ok(market.buyer.post(path, {"name": "佐藤 花子", "role": "buyer", "email": "hana@example.jp"}), 201)
    auditor = market.auditor.with_scopes("organization:manage")
    before = row_counts()
    refused(market.buyer.post(f"{path}/{silent['id']}/invite"), 422, "invalid-input")
    refused(market.stranger.post(f"{path}/{member['id']}/invite"), 404, "not-found")
    refused(auditor.post(f"{path}/{member['id']}/invite"), 403, "capacity-missing")
    assert row_counts() == before
    assert market.buyer.post(f"{path}/{member['id']}/invite").status_code == 204
    [letter] = mail.list_waiting()
    assert letter.recipient == "hana@example.jp"
    [link] = set(re.findall(r"http://\S+(/invitation/\S+)", letter.body))
    assert "佐藤 花子" in market.app.test_client().get(link, headers={"Accept": "text/html"}).text


def test_a_secret_is_shown_once_and_rotating_ends_the_old(market: Market) -> None:
    answer = market.buyer.post("/v1/clients", {"name": "夜間バッチ", "scopes": ["orders:read"]})
    client = ok(answer, 201)
    assert answer.headers["Location"] == f"/v1/clients/{client['id']}"
    assert "secret" not in ok(market.buyer.get(answer.headers["Location"]))
    working = token_of(market, client)
    ok(working.get("/v1/orders"))
    refused(working.get("/v1/grants"), 403, "insufficient-scope")
    rotated = ok(market.buyer.post(f"/v1/clients/{client['id']}/rotate-secret"))
    assert rotated["secret"] != client["secret"]
    refused(working.get("/v1/orders"), 401, "invalid-token")
    renewed = token_of(market, rotated)
    assert ok(market.buyer.post(f"/v1/clients/{client['id']}/suspend"))["state"] == "suspended"
    refused(renewed.get("/v1/orders"), 401, "invalid-token")
    refused(market.buyer.post(f"/v1/clients/{client['id']}/rotate-secret"), 409, "client-suspended")


@pytest.mark.parametrize("scopes", [["market:operate"], ["orders:read", "nonsense"], []])
def test_a_client_gets_no_scope_that_its_organization_cannot_use(market: Market, scopes: list[str]) -> None:
    before = row_counts()
    refused(
        market.buyer.post("/v1/clients", {"name": "欲張り", "scopes": scopes}), 422, "scope-not-available", "/scopes"
    )
    assert row_counts() == before
