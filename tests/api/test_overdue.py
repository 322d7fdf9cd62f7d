"""A dataset whose newest release is older than it promises is shown as overdue, to its provider and to everybody."""

from datetime import timedelta

from marketplace.kit import clock
from tests.api.trade import Market, call, ok


def test_a_daily_dataset_is_overdue_two_days_after_its_release_and_no_longer_after_the_next(market: Market) -> None:
    goods, weekly = market.goods(), market.goods(update_frequency="WEEKLY")
    silent = market.goods(update_frequency="IRREG")
    draft = market.dataset()["id"]
    path = f"/v1/datasets/{goods.dataset_id}"
    fresh = ok(market.provider.get(path))
    assert (fresh["overdue"], fresh["next_release_due_at"] > clock.text(clock.now())) == (False, True)

    with clock.stopped(clock.now() + timedelta(days=2)):
        reader = market.provider.with_scopes("catalog:read", "catalog:write")
        assert ok(reader.get(path)) == fresh | {"overdue": True}
        listed = {one["id"]: one["overdue"] for one in ok(reader.get("/v1/datasets"))["items"]}
        assert listed == {goods.dataset_id: True, weekly.dataset_id: False, silent.dataset_id: False, draft: False}
        shown = ok(call(market.app, "GET", f"/v1/catalog/{goods.dataset_id}"))
        assert (shown["overdue"], shown["next_release_due_at"]) == (True, fresh["next_release_due_at"])
        page = call(market.app, "GET", f"/catalog/{goods.dataset_id}", headers={"Accept-Language": "en"}).text
        assert "overdue since" in page
        punctual = call(market.app, "GET", f"/catalog/{weekly.dataset_id}", headers={"Accept-Language": "en"}).text
        assert "overdue since" not in punctual
        market.provider.token = reader.token
        release = market.release(goods.dataset_id, "next")
        ok(market.upload(release["id"]), 201)
        market.publish(release["id"])
        assert ok(reader.get(path))["overdue"] is False
        assert ok(call(market.app, "GET", f"/v1/catalog/{goods.dataset_id}"))["overdue"] is False
