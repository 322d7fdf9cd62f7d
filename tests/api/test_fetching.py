"""Downloads: conditions and ranges as RFC 9110 has them, and charged for the union of what arrived."""

from datetime import timedelta

import pytest

from marketplace.kit import clock
from tests.api.trade import Goods, Market, Party, file_path, ok, party, refused, row_counts

CONTENT = bytes(range(256)) * 4
NAME = "測定.bin"
ETAG_OF_NOTHING = '"' + "0" * 64 + '"'


@pytest.fixture
def goods(market: Market) -> Goods:
    return market.goods(NAME, CONTENT)


@pytest.fixture
def grant_id(market: Market, goods: Goods) -> str:
    return str(market.bought(goods, "per_mib")["grant_id"])


@pytest.fixture
def etag(market: Market, grant_id: str) -> str:
    return market.head(grant_id, NAME).headers["ETag"]


def test_the_whole_file_comes_with_all_that_a_client_needs(market: Market, goods: Goods, grant_id: str) -> None:
    answer = market.fetch(grant_id, NAME)
    assert (answer.status_code, answer.data) == (200, CONTENT)
    file = ok(market.buyer.get(f"/v1/grants/{grant_id}/files"))[0]
    assert answer.headers["ETag"] == f'"{file["sha256"]}"'
    assert answer.headers["Content-Length"] == str(len(CONTENT)) == str(file["size_bytes"])
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Repr-Digest"].startswith("sha-256=:")
    assert "private" in answer.headers["Cache-Control"]
    assert "Authorization" in answer.headers["Vary"]
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert market.buyer.get(file["url"]).data == CONTENT
    assert market.usage(grant_id) == (len(CONTENT), 2)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If_Match": "*"}, 200),
        ({"If_Match": "{etag}"}, 200),
        ({"If_Match": '"x", {etag}'}, 200),
        ({"If_Match": ETAG_OF_NOTHING}, 412),
        ({"If_Match": "W/{etag}"}, 412),
        ({"If_Match": ETAG_OF_NOTHING, "Range": "bytes=0-9"}, 412),
        ({"If_Match": "garbage"}, 412),
        ({"If_Unmodified_Since": "Sun, 06 Nov 1994 08:49:37 GMT"}, 412),
        ({"If_Unmodified_Since": "Fri, 31 Dec 2100 23:59:59 GMT"}, 200),
        ({"If_Unmodified_Since": "yesterday"}, 200),
        ({"If_None_Match": "{etag}"}, 304),
        ({"If_None_Match": "W/{etag}"}, 304),
        ({"If_None_Match": "*"}, 304),
        ({"If_None_Match": ETAG_OF_NOTHING}, 200),
        ({"If_None_Match": "{etag}", "Range": "bytes=0-9"}, 304),
        ({"If_None_Match": ETAG_OF_NOTHING, "If_Modified_Since": "Fri, 31 Dec 2100 23:59:59 GMT"}, 200),
        ({"If_Modified_Since": "Fri, 31 Dec 2100 23:59:59 GMT"}, 304),
        ({"If_Modified_Since": "Sun, 06 Nov 1994 08:49:37 GMT"}, 200),
        ({"If_Match": "{etag}", "If_None_Match": "{etag}"}, 304),
        ({"If_Match": ETAG_OF_NOTHING, "If_None_Match": "{etag}"}, 412),
        ({"Range": "bytes=1024-"}, 416),
        ({"Range": "bytes=99999-100000"}, 416),
        ({"Range": "bytes=-0"}, 416),
        ({"Range": "bytes=9-0"}, 200),
        ({"Range": "lines=0-9"}, 200),
        ({"Range": "bytes=" + "9" * 5000 + "-"}, 416),
        ({"Range": "bytes=0-0," * 499 + "0-0"}, None),
        ({"Range": "bytes=0-9", "If_Range": "W/{etag}"}, 200),
        ({"Range": "bytes=0-9", "If_Range": ETAG_OF_NOTHING}, 200),
        ({"Range": "bytes=0-9", "If_Range": "Sun, 06 Nov 1994 08:49:37 GMT"}, 200),
        ({"Range": "bytes=0-9", "If_Range": "{etag}"}, 206),
    ],
)
def test_conditions_are_decided_as_rfc_9110_has_them(market: Market, grant_id: str, etag: str, headers, status) -> None:
    sent = {name: value.replace("{etag}", etag) for name, value in headers.items()}
    answer = market.fetch(grant_id, NAME, **sent)
    assert status is None or answer.status_code == status
    charged = {200: len(CONTENT), 206: 10}.get(answer.status_code, 0)
    assert len(answer.data) == charged <= len(CONTENT), "a refusal has no body, and no range multiplies the file"
    assert market.usage(grant_id) == (charged, 1 if charged else 0)
    if answer.status_code == 416:
        assert answer.headers["Content-Range"] == f"bytes */{len(CONTENT)}"
    if answer.status_code == 304:
        assert answer.headers["ETag"] == etag


@pytest.mark.parametrize(
    ("field", "start", "end"),
    [("bytes=0-0", 0, 1), ("bytes=10-19", 10, 20), ("bytes=1000-", 1000, 1024), ("bytes=-24", 1000, 1024), ("bytes=-99999", 0, 1024),
     ("bytes=1020-99999", 1020, 1024), ("BYTES=5-9", 5, 10)],
)  # fmt: skip
def test_a_range_is_exactly_those_bytes(market: Market, grant_id: str, field: str, start: int, end: int) -> None:
    answer = market.fetch(grant_id, NAME, Range=field)
    assert (answer.status_code, answer.data) == (206, CONTENT[start:end])
    assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(CONTENT)}"
    assert answer.headers["Content-Length"] == str(end - start)
    assert market.usage(grant_id) == (end - start, 1)


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=0-9"}, {"If_None_Match": "*"}, {"If_Match": ETAG_OF_NOTHING}])
def test_head_tells_what_get_would_and_costs_nothing(market: Market, grant_id: str, headers) -> None:
    before = row_counts()
    answer = market.head(grant_id, NAME, **headers)
    assert answer.status_code == {"If_None_Match": 304, "If_Match": 412}.get(next(iter(headers), ""), 200)
    assert answer.data == b""
    if answer.status_code == 200:
        assert answer.headers["Content-Length"] == str(len(CONTENT))
        assert "Content-Range" not in answer.headers
    assert row_counts() == before


def test_overlapping_ranges_charge_their_union(market: Market, grant_id: str) -> None:
    for field, union in (
        ("bytes=0-99", 100),
        ("bytes=50-149", 150),
        ("bytes=0-149", 150),
        ("bytes=500-599", 250),
        ("bytes=0-", 1024),
    ):
        assert market.fetch(grant_id, NAME, Range=field).status_code == 206
        assert market.usage(grant_id)[0] == union
    assert market.fetch(grant_id, NAME).data == CONTENT
    assert market.usage(grant_id) == (1024, 6)
    stated = ok(market.provider.get("/v1/usage", query_string={"grant_id": grant_id}))
    assert (stated["total_bytes"], stated["total_bytes_acked"]) == (1024, 100 + 100 + 150 + 100 + 1024 + 1024)


def test_a_quota_in_bytes_lets_through_what_it_says(market: Market, goods: Goods) -> None:
    grant_id = market.bought(goods, "free", quota_bytes=1000)["grant_id"]
    assert market.fetch(grant_id, NAME, Range="bytes=0-899").status_code == 206
    before = row_counts()
    refused(market.fetch(grant_id, NAME, Range="bytes=900-1023"), 403, "quota-exhausted")
    assert row_counts() == before
    assert market.fetch(grant_id, NAME, Range="bytes=0-899").status_code == 206, "a byte fetched twice counts once"
    assert market.fetch(grant_id, NAME, Range="bytes=900-999").status_code == 206
    assert market.head(grant_id, NAME).status_code == 200
    quota = ok(market.buyer.get(f"/v1/grants/{grant_id}"))["quota"]
    assert (quota["limit_bytes"], quota["used_bytes"], quota["reserved_bytes"]) == (1000, 1000, 0)


def test_a_quota_in_downloads_counts_passes_over_a_file_not_pieces(market: Market, goods: Goods) -> None:
    grant_id = market.bought(goods, "free", quota_downloads=1)["grant_id"]
    for field in ("bytes=0-99", "bytes=100-"):
        assert market.fetch(grant_id, NAME, Range=field).status_code == 206
    refused(market.fetch(grant_id, NAME), 403, "quota-exhausted")
    quota = ok(market.buyer.get(f"/v1/grants/{grant_id}"))["quota"]
    assert (quota["limit_downloads"], quota["used_downloads"]) == (1, 1)


def test_quotas_in_rows_and_requests_refuse_what_goes_beyond_them(market: Market, goods: Goods) -> None:
    grant_id = market.bought(goods, "free", quota_rows=10**6, quota_requests=2, quota_streams=1)["grant_id"]
    for _ in range(2):
        assert market.fetch(grant_id, NAME).status_code == 200
    before = row_counts()
    said = refused(market.fetch(grant_id, NAME), 403, "quota-exhausted")
    assert (said["requests_left"], said["bytes_left"]) == (0, None)
    assert row_counts() == before
    quota = ok(market.buyer.get(f"/v1/grants/{grant_id}"))["quota"]
    assert (quota["limit_requests"], quota["used_requests"], quota["limit_rows"]) == (2, 2, 10**6)
    assert (quota["limit_streams"], quota["open_deliveries"], quota["reserved_rows"]) == (1, 0, 0)


def test_a_grant_that_ran_out_opens_nothing(market: Market, goods: Goods) -> None:
    grant_id = market.bought(goods, "free", duration_days=1)["grant_id"]
    assert market.fetch(grant_id, NAME).status_code == 200
    with clock.stopped(clock.now() + timedelta(days=1, seconds=1)):
        later = market.buyer.with_scopes("data:read", "grants:read")
        before = row_counts()
        refused(market.fetch(grant_id, NAME, later), 403, "grant-expired")
        refused(market.fetch(grant_id, NAME, later, If_None_Match="*"), 403, "grant-expired")
        assert row_counts() == before
        assert ok(later.get(f"/v1/grants/{grant_id}"))["expires_at"]


def test_a_revoked_grant_opens_nothing_at_once(market: Market, goods: Goods, grant_id: str) -> None:
    revoked = ok(market.provider.post(f"/v1/grants/{grant_id}/revoke", {"reason": "利用条件の違反"}))
    assert (revoked["state"], bool(revoked["revoked_at"])) == ("revoked", True)
    before = row_counts()
    refused(market.fetch(grant_id, NAME), 403, "grant-revoked")
    assert market.head(grant_id, NAME).status_code == 403
    assert row_counts() == before


def test_revoking_needs_a_reason_and_the_right_party(market: Market, grant_id: str) -> None:
    before = row_counts()
    path = f"/v1/grants/{grant_id}/revoke"
    refused(market.provider.post(path, {}), 422, "invalid-input", "/reason")
    refused(market.provider.post(path, {"reason": ""}), 422, "invalid-input", "/reason")
    refused(market.rival.post(path, {"reason": "x"}), 404, "not-found")
    refused(market.buyer.post(path, {"reason": "x"}), 403, "insufficient-scope")
    assert row_counts() == before
    ok(market.operator.post(path, {"reason": "裁判所の命令"}))


def test_what_was_sold_is_fetched_though_release_and_dataset_are_withdrawn(
    market: Market, goods: Goods, grant_id: str
) -> None:
    ok(market.provider.post(f"/v1/releases/{goods.release_id}/withdraw"))
    assert market.fetch(grant_id, NAME).data == CONTENT
    ok(market.provider.post(f"/v1/datasets/{goods.dataset_id}/withdraw"))
    assert market.fetch(grant_id, NAME).data == CONTENT
    assert [file["name"] for file in ok(market.buyer.get(f"/v1/grants/{grant_id}/files"))] == [NAME]
    refused(market.nobody.get(f"/v1/catalog/{goods.dataset_id}"), 404, "not-found")


def test_a_grant_opens_its_releases_and_no_other(market: Market, goods: Goods, grant_id: str) -> None:
    later = market.release(goods.dataset_id, "2026-12")["id"]
    ok(market.upload(later, NAME, b"second edition"), 201)
    ok(market.upload(later, "new.csv", b"a\n"), 201)
    market.publish(later)
    assert market.fetch(grant_id, NAME).data == CONTENT
    refused(market.fetch(grant_id, "new.csv"), 404, "not-found")
    refused(market.buyer.get(file_path(grant_id, NAME), query_string={"release_id": later}), 404, "not-found")
    refused(market.buyer.get(file_path(grant_id, NAME), query_string={"release_id": "x"}), 404, "not-found")
    first = market.buyer.get(file_path(grant_id, NAME), query_string={"release_id": goods.release_id})
    assert first.data == CONTENT


def test_a_grant_of_all_releases_opens_the_newest_first(market: Market, goods: Goods) -> None:
    grant_id = market.bought(goods, "free", release_scope="all")["grant_id"]
    later = market.release(goods.dataset_id, "2026-12")["id"]
    ok(market.upload(later, NAME, b"second edition"), 201)
    market.publish(later)
    assert market.fetch(grant_id, NAME).data == b"second edition"
    first = market.buyer.get(file_path(grant_id, NAME), query_string={"release_id": goods.release_id})
    assert first.data == CONTENT
    assert market.usage(grant_id)[0] == len(CONTENT) + len(b"second edition")


def test_a_file_replaced_in_the_middle_of_a_resume_is_never_mixed(market: Market, goods: Goods) -> None:
    grant_id = market.bought(goods, "free", release_scope="all")["grant_id"]
    first = market.fetch(grant_id, NAME, Range="bytes=0-499")
    later = market.release(goods.dataset_id, "2026-12")["id"]
    edition = CONTENT[::-1]
    ok(market.upload(later, NAME, edition), 201)
    market.publish(later)
    etag = first.headers["ETag"]
    resumed = market.fetch(grant_id, NAME, Range="bytes=500-", If_Range=etag)
    assert (resumed.status_code, resumed.data) == (200, edition)
    assert market.fetch(grant_id, NAME, Range="bytes=500-", If_Match=etag).status_code == 412


@pytest.mark.parametrize(
    "name", ["nothing.csv", "測定.BIN", "測定.bin ", "測定", "..", "%2e%2e", "x" * 5000, "測\u200b定.bin"]
)
def test_a_name_that_the_grant_does_not_hold_is_not_found(market: Market, grant_id: str, name: str) -> None:
    before = row_counts()
    refused(market.fetch(grant_id, name), 404, "not-found")
    assert row_counts() == before


def test_only_the_buyer_of_a_grant_fetches_its_files(market: Market, grant_id: str) -> None:
    both = party(market.app, "both", "provider", "buyer")
    before = row_counts()
    for who, status, slug in (
        (market.stranger, 404, "not-found"), (both, 404, "not-found"), (market.provider, 403, "insufficient-scope"),
        (market.operator, 403, "insufficient-scope"), (market.auditor, 403, "insufficient-scope"), (market.nobody, 401, "not-authenticated"),
    ):  # fmt: skip
        refused(market.fetch(grant_id, NAME, who), status, slug)
    assert row_counts() == before


def test_a_seller_cannot_fetch_what_it_sold_though_it_buys_elsewhere(market: Market, goods: Goods) -> None:
    market.provider = _both = party(market.app, "both", "provider", "buyer")
    grant_id = market.bought(market.goods(NAME, CONTENT), "free")["grant_id"]
    refused(market.fetch(grant_id, NAME, _both), 404, "not-found")


def test_parties_and_overseers_see_the_files_of_a_grant_and_no_payload(market: Market, grant_id: str) -> None:
    listed = ok(market.buyer.get(f"/v1/grants/{grant_id}/files"))
    for who in (market.provider, market.operator, market.auditor):
        assert ok(who.get(f"/v1/grants/{grant_id}/files")) == listed
    refused(market.stranger.get(f"/v1/grants/{grant_id}/files"), 404, "not-found")


def test_an_empty_file_is_fetched_for_nothing(market: Market) -> None:
    grant_id = market.bought(market.goods("empty.csv", b""), "per_mib")["grant_id"]
    answer = market.fetch(grant_id, "empty.csv")
    assert (answer.status_code, answer.data, answer.headers["Content-Length"]) == (200, b"", "0")
    assert market.usage(grant_id)[0] == 0


def test_usage_is_stated_by_day_and_to_both_sides(market: Market, goods: Goods, grant_id: str) -> None:
    market.fetch(grant_id, NAME, Range="bytes=0-99")
    today = clock.today().isoformat()
    for query, total in (
        ({"grant_id": grant_id}, 100), ({"dataset_id": goods.dataset_id}, 100), ({"from_on": today, "to_on": today}, 100),
        ({"to_on": "2000-01-01"}, 0), ({"from_on": "2100-01-01"}, 0), ({"from_on": "0001-01-01", "to_on": "9999-12-31"}, 100),
        ({"from_on": today, "to_on": "2000-01-01"}, 0), ({"grant_id": "grt_" + "0" * 32}, 0),
    ):  # fmt: skip
        for who in (market.buyer, market.provider, market.auditor):
            assert ok(who.get("/v1/usage", query_string=query))["total_bytes"] == total, (query, who.role)
        assert ok(market.stranger.get("/v1/usage", query_string=query))["total_bytes"] == 0
    for name, value in (
        ("from_on", "22.11.2026"),
        ("to_on", "2026-13-01"),
        ("grant_id", "x"),
        ("dataset_id", "grt_" + "0" * 32),
    ):
        refused(market.buyer.get("/v1/usage", query_string={name: value}), 422, "invalid-input", f"/{name}")


def test_a_token_in_the_address_opens_nothing(market: Market, grant_id: str) -> None:
    bare = Party(market.app, "bare")
    answer = bare.get(file_path(grant_id, NAME), query_string={"access_token": market.buyer.token})
    refused(answer, 401, "not-authenticated")
