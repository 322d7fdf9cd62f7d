"""What operator and auditor see of files and grants: everything about the trade, and none of the bytes."""

import pytest

from marketplace.catalog.states import ProfileState
from marketplace.kit.transaction import transaction
from tests.api.trade import Goods, Market, ok, refused
from tests.factories.catalog import profiled

PROFILE = {"format": "CSV", "rows": 2, "columns": [{"name": "人数"}], "preview": [["大通", "123"]]}


def draft_with_preview(market: Market) -> tuple[str, str]:
    """A draft release with one profiled file: its id and the file's address."""
    release_id = market.release(market.dataset()["id"])["id"]
    file = ok(market.upload(release_id, "a.csv"), 201)
    with transaction():
        profiled(file["id"], PROFILE, ProfileState.PROFILED)
    return release_id, f"/v1/releases/{release_id}/files/a.csv"


@pytest.mark.parametrize("role", ["operator", "auditor"])
def test_overseers_see_the_profile_of_a_draft_but_not_its_rows(market: Market, role: str) -> None:
    release_id, address = draft_with_preview(market)
    overseer = getattr(market, role)

    seen = [ok(overseer.get(address)), *ok(overseer.get(f"/v1/releases/{release_id}"))["files"]]

    assert [file["profile"] for file in seen] == [{key: PROFILE[key] for key in ("format", "rows", "columns")}] * 2


def test_the_provider_sees_its_own_rows(market: Market) -> None:
    release_id, address = draft_with_preview(market)

    assert ok(market.provider.get(address))["profile"] == PROFILE
    assert ok(market.provider.get(f"/v1/releases/{release_id}"))["files"][0]["profile"] == PROFILE


@pytest.mark.parametrize("role", ["operator", "auditor", "provider"])
def test_nobody_but_the_buyer_fetches_bytes(market: Market, goods: Goods, role: str) -> None:
    grant_id = market.bought(goods)["grant_id"]

    refused(market.fetch(grant_id, who=getattr(market, role)), 403, "insufficient-scope")


def test_the_buyer_reads_why_a_grant_was_revoked(market: Market, goods: Goods) -> None:
    grant_id = market.bought(goods)["grant_id"]
    assert ok(market.buyer.get(f"/v1/grants/{grant_id}"))["revoked_reason"] is None

    ok(market.provider.post(f"/v1/grants/{grant_id}/revoke", {"reason": "契約違反のため"}))

    seen = ok(market.buyer.get(f"/v1/grants/{grant_id}"))
    assert (seen["state"], seen["revoked_reason"]) == ("revoked", "契約違反のため")
