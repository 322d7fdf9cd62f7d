"""Uploads: streamed with or without a length, checked against what was announced, kept once or not at all."""

import base64
import hashlib
import io
from pathlib import Path

import pytest
from flask import Flask

from marketplace.app import create_app
from marketplace.kit.db import db
from tests.api.trade import CONTENT, DATASET, Market, Party, call, market_of, ok, put_file, refused, row_counts

DIGEST = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()


@pytest.fixture
def release_id(market: Market) -> str:
    return market.release(market.dataset()["id"])["id"]


def stored(app: Flask) -> list[str]:
    """The names of the files that the store holds, uploads on their way included."""
    root: Path = app.config["MUSUBI_SETTINGS"].store_dir
    return sorted(path.name for path in root.rglob("*") if path.is_file())


def stream(who: Party, release_id: str, name: str, content: bytes, **headers: str):
    """Send a body whose length is not told, as chunked transfer coding arrives at an application."""
    return call(
        who.app, "PUT", f"/v1/releases/{release_id}/files/{name}", input_stream=io.BytesIO(content),
        headers={"Authorization": f"Bearer {who.token}", "Content-Type": "text/csv"} | headers,
        environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""},
    )  # fmt: skip


def test_a_file_is_kept_as_it_came_and_named_by_its_hash(market: Market, release_id: str) -> None:
    file = ok(market.upload(release_id, "人流 2026年.csv"), 201)
    assert (file["name"], file["size_bytes"]) == ("人流 2026年.csv", len(CONTENT))
    assert file["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert (file["profile_state"], file["profile"], file["media_type"]) == ("pending", None, "text/csv")
    assert file["sha256"] in stored(market.app)
    path = f"/v1/releases/{release_id}/files/人流 2026年.csv"
    assert ok(market.provider.get(path)) == file
    assert ok(market.auditor.get(path)) == file


def test_a_body_of_untold_length_is_streamed(market: Market, release_id: str) -> None:
    content = b"x" * (3 * 2**18 + 7)
    file = ok(stream(market.provider, release_id, "large.bin", content), 201)
    assert (file["size_bytes"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())


def test_a_body_that_the_server_cannot_read_to_its_end_is_refused_and_not_kept_as_an_empty_file(
    market: Market, release_id: str
) -> None:
    before, files = row_counts(), stored(market.app)
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}
    path, headers = f"/v1/releases/{release_id}/files/a.csv", {"Authorization": f"Bearer {market.provider.token}"}
    body = io.BytesIO(b"5\r\nunread")
    answer = call(market.app, "PUT", path, input_stream=body, headers=headers, environ_overrides=chunked)
    refused(answer, 411, "length-required")
    assert (row_counts(), stored(market.app)) == (before, files)


def test_an_empty_file_is_a_file(market: Market, release_id: str) -> None:
    assert ok(market.upload(release_id, "empty.csv", b""), 201)["size_bytes"] == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Digest": f"sha-256=:{DIGEST}:"},
        {"Content_Digest": f"sha-512=:AAAA:, sha-256=:{DIGEST}:"},
        {"Repr_Digest": f"sha-256=:{DIGEST}:"},
        {"Content_Digest": "sha-512=:AAAA:", "Repr_Digest": f"sha-256=:{DIGEST}:;x=1"},
        {"Content_Digest": "md5=:AAAA:"},
    ],
)
def test_a_digest_that_fits_is_taken(market: Market, release_id: str, headers: dict[str, str]) -> None:
    ok(market.upload(release_id, **headers), 201)


@pytest.mark.parametrize("field", ["Content_Digest", "Repr_Digest"])
def test_a_digest_of_other_bytes_is_refused_and_nothing_kept(market: Market, release_id: str, field: str) -> None:
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    before, files = row_counts(), stored(market.app)
    refused(
        market.upload(release_id, content=b"unseen before", **{field: f"sha-256=:{wrong}:"}), 422, "digest-mismatch"
    )
    assert (row_counts(), stored(market.app)) == (before, files)


@pytest.mark.parametrize(
    "digest",
    ["sha-256=:AAAA:", "sha-256=::", f"sha-256={DIGEST}", f'sha-256="{DIGEST}"', "sha-256=:!!!!:", f"sha-256=:{DIGEST}", "sha-256=:====:",
     f"SHA-256=:{DIGEST}:", "sha-256", f"sha-256=:{DIGEST[:-2]}:"],
)  # fmt: skip
def test_a_malformed_digest_is_refused_and_nothing_kept(market: Market, release_id: str, digest: str) -> None:
    before, files = row_counts(), stored(market.app)
    refused(
        market.upload(release_id, content=b"unseen, too", Content_Digest=digest),
        422,
        "invalid-input",
        "/Content-Digest",
    )
    assert (row_counts(), stored(market.app)) == (before, files)


@pytest.mark.parametrize(
    "name",
    ["..", ".", "...csv", ".hidden", "~root", "a" * 256 + ".csv", "人" * 100 + ".csv", "a\r\nSet-Cookie: x=1.csv", "\u202egnp.exe", "CON",
     "con.csv", "a\\b.csv", "C:x.csv", "a*.csv", "a?b.csv", 'a"b.csv', "a|b.csv", " a.csv", "a.csv ", "a.csv.", "a／b.csv", "a\u200bb.csv",
     "%2e%2e%2fetc", "a\ufeff.csv", "ａ‥／ｂ", "\x7f.csv", "lpt1.txt", "a%00.csv"],
)  # fmt: skip
def test_a_hostile_name_is_refused_and_nothing_kept(market: Market, release_id: str, name: str) -> None:
    before, files = row_counts(), stored(market.app)
    answer = market.upload(release_id, name, b"never stored")
    assert answer.status_code in {404, 422}, answer.text
    assert answer.content_type == "application/problem+json"
    assert (row_counts(), stored(market.app)) == (before, files)


@pytest.mark.parametrize("name", ["a/b.csv", "../a.csv", "/etc/passwd", "a%2Fb.csv"])
def test_a_name_with_a_slash_is_no_address(market: Market, release_id: str, name: str) -> None:
    before = row_counts()
    path = f"/v1/releases/{release_id}/files/{name}"
    answer = market.provider.call("PUT", path, data=b"x", headers={"Content-Type": "text/csv"})
    assert answer.status_code in {404, 405}, answer.text
    assert row_counts() == before


def test_a_file_beyond_the_limit_is_refused_however_it_is_sent(make_settings, clone) -> None:
    app = create_app(make_settings(clone(), upload_size_bytes_max=1000))
    with app.app_context():
        market = market_of(app)
        release = market.release(market.dataset()["id"])["id"]
        before, files = row_counts(), stored(app)
        told = refused(market.upload(release, content=b"x" * 1001), 413, "too-large")
        assert told["limit_bytes"] == 1000
        refused(stream(market.provider, release, "a.csv", b"x" * 1001), 413, "too-large")
        assert (row_counts(), stored(app)) == (before, files)
        ok(stream(market.provider, release, "a.csv", b"x" * 1000), 201)
        _dispose(app)


def test_the_same_bytes_again_are_the_same_file(market: Market, release_id: str) -> None:
    first = ok(market.upload(release_id), 201)
    before, files = row_counts(), stored(market.app)
    assert ok(market.upload(release_id), 201) == first
    assert (row_counts(), stored(market.app)) == (before, files)


def test_other_bytes_under_the_same_name_are_refused(market: Market, release_id: str) -> None:
    ok(market.upload(release_id), 201)
    before = row_counts()
    held = refused(market.upload(release_id, content=b"other"), 409, "file-name-taken")
    assert held["held_sha256"] == hashlib.sha256(CONTENT).hexdigest()
    refused(market.upload(release_id, name="人流.CSV"), 409, "file-name-taken")
    refused(market.upload(release_id, name="人流．csv"), 409, "file-name-taken")
    assert row_counts() == before


def test_a_published_release_takes_no_more_files(market: Market, release_id: str) -> None:
    ok(market.upload(release_id), 201)
    market.publish(release_id)
    before, files = row_counts(), stored(market.app)
    refused(market.upload(release_id, "second.csv", b"second"), 409, "release-sealed")
    refused(market.upload(release_id), 409, "release-sealed")
    assert (row_counts(), stored(market.app)) == (before, files)


def test_a_withdrawn_dataset_takes_no_more_files(market: Market, release_id: str) -> None:
    dataset_id = ok(market.provider.get(f"/v1/releases/{release_id}"))["dataset_id"]
    ok(market.provider.post(f"/v1/datasets/{dataset_id}/withdraw"))
    files = stored(market.app)
    refused(market.upload(release_id, content=b"too late"), 409, "dataset-withdrawn")
    assert stored(market.app) == files


def test_nothing_is_stored_into_the_release_of_another(market: Market, release_id: str) -> None:
    before, files = row_counts(), stored(market.app)
    for who, status in ((market.rival, 404), (market.buyer, 403), (market.operator, 403), (market.nobody, 401)):
        assert (
            put_file(
                who,
                release_id,
                "a.csv",
                b"not mine",
            ).status_code
            == status
        )
    assert (row_counts(), stored(market.app)) == (before, files)


def test_identical_bytes_of_two_tenants_tell_neither_of_the_other(market: Market, release_id: str) -> None:
    theirs = ok(market.rival.post("/v1/datasets", DATASET), 201)["id"]
    other = ok(market.rival.post(f"/v1/datasets/{theirs}/releases", {"label": "v1"}), 201)["id"]
    first, second = ok(market.upload(release_id), 201), ok(put_file(market.rival, other, "人流.csv", CONTENT), 201)
    assert first["id"] != second["id"]
    assert {**first, "id": ""} == {**second, "id": ""}


@pytest.mark.parametrize("media_type", ["text/html", "image/svg+xml"])
def test_what_a_browser_would_run_is_delivered_as_an_attachment(market: Market, media_type: str) -> None:
    goods_release = market.release(market.dataset()["id"])
    script = b"<script>alert(1)</script>"
    ok(market.upload(goods_release["id"], "page.csv", script, Content_Type=media_type), 201)
    market.publish(goods_release["id"])
    grant_id = ok(market.order(market.offer(goods_release["dataset_id"])), 201)["grant_id"]
    fetched = market.fetch(grant_id, "page.csv")
    assert fetched.data == script
    assert fetched.headers["Content-Disposition"].startswith("attachment")
    assert fetched.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in fetched.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "media_type", ["text", "text/", "text/csv; charset", "a/b\x01", "x" * 300 + "/y", "テキスト/csv"]
)
def test_a_media_type_that_is_none_is_refused(market: Market, release_id: str, media_type: str) -> None:
    before, files = row_counts(), stored(market.app)
    given = media_type.encode().decode("latin-1")
    refused(market.upload(release_id, content=b"typed", Content_Type=given), 422, "invalid-input", "/media_type")
    assert (row_counts(), stored(market.app)) == (before, files)


def test_a_body_shorter_than_announced_is_refused(market: Market, release_id: str) -> None:
    before, files = row_counts(), stored(market.app)
    path = f"/v1/releases/{release_id}/files/short.csv"
    headers = {"Authorization": f"Bearer {market.provider.token}", "Content-Type": "text/csv"}
    environ = {"CONTENT_LENGTH": "100"}
    answer = call(
        market.app, "PUT", path, input_stream=io.BytesIO(b"only this"), headers=headers, environ_overrides=environ
    )
    assert answer.status_code in {400, 422}, answer.text
    assert (row_counts(), stored(market.app)) == (before, files)


def _dispose(app: Flask) -> None:
    db.session.remove()
    db.engine.dispose()
