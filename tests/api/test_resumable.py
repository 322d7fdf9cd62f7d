"""Uploads in pieces: they go on where they broke, and end as a file of the release or not at all."""

import base64
import hashlib
import io
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from marketplace.api import streams
from marketplace.app import create_app
from marketplace.audit.models import Entry
from marketplace.catalog.uploads.models import ProviderStorage, Upload
from marketplace.exchange import facilities, uploading
from marketplace.kit import clock
from marketplace.kit.db import db
from tests.api.trade import CONTENT, Market, Party, audit_count, call, market_of, ok, refused, row_counts

SHA256 = hashlib.sha256(CONTENT).hexdigest()
HALF = len(CONTENT) // 2
PIECE = "application/offset+octet-stream"
RESUMABLE = {"Tus-Resumable": "1.0.0"}


@pytest.fixture
def release_id(market: Market) -> str:
    return market.release(market.dataset()["id"])["id"]


def metadata(**said: str) -> str:
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in said.items())


def begin(
    who: Party, release_id: str, size: int = len(CONTENT), said: dict[str, str] | None = None, **headers: str
) -> TestResponse:
    told = metadata(**(said or {"filename": "人流.csv", "filetype": "text/csv"}))
    fields = RESUMABLE | {"Upload-Length": str(size), "Upload-Metadata": told}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    return who.call("POST", f"/v1/releases/{release_id}/uploads", headers=fields)


def begun(market: Market, release_id: str, **more: Any) -> str:
    return begin(market.provider, release_id, **more).headers["Location"]


def send(who: Party, path: str, offset: int, content: bytes, **headers: str) -> TestResponse:
    fields = RESUMABLE | {"Upload-Offset": str(offset), "Content-Type": PIECE}
    return who.call("PATCH", path, data=content, headers=fields | {n.replace("_", "-"): v for n, v in headers.items()})


def head(who: Party, path: str) -> TestResponse:
    return who.call("HEAD", path, headers=RESUMABLE)


def offset(market: Market, path: str) -> int:
    answer = head(market.provider, path)
    assert answer.status_code == 200, answer.status
    return int(answer.headers["Upload-Offset"])


def names(market: Market, release_id: str) -> list[str]:
    return [file["name"] for file in ok(market.provider.get(f"/v1/releases/{release_id}"))["files"]]


def room(market: Market) -> tuple[int, int, int]:
    """Bytes stored and promised, and open uploads, of the provider."""
    held = db.session.get(ProviderStorage, market.provider.organization_id, populate_existing=True)
    return (held.stored_bytes, held.reserved_bytes, held.uploads_open) if held else (0, 0, 0)


def parts() -> set[str]:
    """The bytes on their way; other tests may have left theirs."""
    return set(facilities.current().parts.untouched_since(clock.now() + timedelta(days=400)))


def test_a_file_in_two_pieces_is_the_file_that_one_put_makes(market: Market, release_id: str) -> None:
    lying = parts()
    answer = begin(market.provider, release_id)
    upload = ok(answer, 201)
    path = answer.headers["Location"]
    assert path == f"/v1/uploads/{upload['id']}"
    assert (answer.headers["Tus-Resumable"], answer.headers["Upload-Offset"]) == ("1.0.0", "0")
    assert "GMT" in answer.headers["Upload-Expires"]
    assert room(market) == (0, len(CONTENT), 1)

    first = send(market.provider, path, 0, CONTENT[:HALF])
    assert (first.status_code, first.headers["Upload-Offset"]) == (204, str(HALF))
    assert names(market, release_id) == []
    told = head(market.provider, path).headers
    assert (told["Upload-Offset"], told["Upload-Length"]) == (str(HALF), str(len(CONTENT)))
    assert told["Upload-Metadata"] == metadata(filename="人流.csv", filetype="text/csv")
    assert "no-store" in told["Cache-Control"]

    last = send(market.provider, path, HALF, CONTENT[HALF:])
    assert (last.status_code, last.headers["Upload-Offset"]) == (204, str(len(CONTENT)))
    [file] = ok(market.provider.get(f"/v1/releases/{release_id}"))["files"]
    assert (file["name"], file["media_type"], file["size_bytes"]) == ("人流.csv", "text/csv", len(CONTENT))
    assert (file["sha256"], file["profile_state"]) == (SHA256, "pending")
    assert ok(market.provider.get(path))["file_id"] == file["id"]
    assert ok(market.upload(release_id), 201) == file
    assert (room(market), parts()) == ((len(CONTENT), 0, 0), lying)


def test_the_record_tells_of_it_what_it_tells_of_a_put(market: Market, release_id: str) -> None:
    path, before = begun(market, release_id), audit_count()
    send(market.provider, path, 0, CONTENT[:HALF])
    assert audit_count() == before  # pieces are no deeds
    send(market.provider, path, HALF, CONTENT[HALF:])
    assert audit_count() == before + 1
    received = db.session.scalars(select(Entry).where(Entry.verb == "catalog.file.received")).one()
    assert received.facts == {"release": release_id, "sha256": SHA256, "size_bytes": str(len(CONTENT))}


def test_a_body_that_breaks_off_is_kept_as_far_as_it_came(market: Market, release_id: str) -> None:
    path = begun(market, release_id)

    class Breaking(io.BytesIO):
        def read(self, *_size: int) -> bytes:
            if piece := super().read(7):
                return piece
            raise ConnectionResetError

    headers = {"Authorization": f"Bearer {market.provider.token}", "Upload-Offset": "0", "Content-Type": PIECE}
    answer = call(
        market.app, "PATCH", path, input_stream=Breaking(CONTENT[:HALF]), headers=headers | RESUMABLE,
        environ_overrides={"CONTENT_LENGTH": str(len(CONTENT))},
    )  # fmt: skip
    assert answer.status_code == 400
    assert offset(market, path) == HALF
    assert send(market.provider, path, HALF, CONTENT[HALF:]).status_code == 204
    assert names(market, release_id) == ["人流.csv"]


@pytest.mark.parametrize("wrong", [0, HALF - 1, HALF + 1, len(CONTENT)])
def test_a_piece_that_begins_elsewhere_is_refused_and_nothing_kept(market: Market, release_id: str, wrong: int) -> None:
    path = begun(market, release_id)
    send(market.provider, path, 0, CONTENT[:HALF])
    before = row_counts()
    told = refused(send(market.provider, path, wrong, b"x"), 409, "upload-offset-wrong")
    assert told["offset_bytes"] == HALF
    assert (offset(market, path), row_counts()) == (HALF, before)


def test_more_than_was_announced_is_refused(market: Market, release_id: str) -> None:
    path = begun(market, release_id)
    before = row_counts()
    refused(send(market.provider, path, 0, CONTENT + b"x"), 422, "upload-truncated")
    assert (offset(market, path), row_counts()) == (0, before)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_a_piece_that_is_not_what_was_hashed_is_discarded_whole(
    market: Market, release_id: str, algorithm: str
) -> None:
    path = begun(market, release_id)

    def checksum(of: bytes) -> str:
        return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, of).digest()).decode()}"

    refused(
        send(market.provider, path, 0, CONTENT[:HALF], Upload_Checksum=checksum(b"other")), 460, "checksum-mismatch"
    )
    assert offset(market, path) == 0
    right = send(market.provider, path, 0, CONTENT[:HALF], Upload_Checksum=checksum(CONTENT[:HALF]))
    assert (right.status_code, offset(market, path)) == (204, HALF)


def test_a_content_digest_of_a_piece_is_compared(market: Market, release_id: str) -> None:
    path = begun(market, release_id)
    digest = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
    refused(
        send(market.provider, path, 0, CONTENT[:HALF], Content_Digest=f"sha-256=:{digest}:"), 422, "digest-mismatch"
    )
    assert offset(market, path) == 0
    assert send(market.provider, path, 0, CONTENT, Content_Digest=f"sha-256=:{digest}:").status_code == 204


@pytest.mark.parametrize("checksum", ["md5 AAAA", "sha1", "sha1 AAAA", "sha256 !!", "sha1  "])
def test_a_checksum_that_cannot_be_compared_is_refused(market: Market, release_id: str, checksum: str) -> None:
    path = begun(market, release_id)
    refused(send(market.provider, path, 0, CONTENT, Upload_Checksum=checksum), 400, "bad-request")
    assert offset(market, path) == 0


def test_a_file_that_is_not_the_one_announced_ends_the_upload(market: Market, release_id: str) -> None:
    said = {"filename": "人流.csv", "sha256": hashlib.sha256(b"other").hexdigest()}
    path, lying = begun(market, release_id, said=said), parts()
    send(market.provider, path, 0, CONTENT[:HALF])
    refused(send(market.provider, path, HALF, CONTENT[HALF:]), 422, "digest-mismatch")
    assert head(market.provider, path).status_code == 404
    assert (names(market, release_id), room(market), parts()) == ([], (0, 0, 0), lying)


def test_the_announced_sha256_of_a_right_file_is_taken_in_either_case(market: Market, release_id: str) -> None:
    path = begun(market, release_id, said={"filename": "a.csv", "sha256": SHA256.upper()})
    assert send(market.provider, path, 0, CONTENT).status_code == 204


def test_an_empty_file_is_there_as_soon_as_it_is_begun(market: Market, release_id: str) -> None:
    answer = ok(begin(market.provider, release_id, size=0), 201)
    assert answer["file_id"]
    assert names(market, release_id) == ["人流.csv"]
    assert room(market) == (0, 0, 0)


def test_what_is_complete_takes_an_empty_piece_at_its_end_and_no_other(market: Market, release_id: str) -> None:
    path = begun(market, release_id)
    send(market.provider, path, 0, CONTENT)
    assert send(market.provider, path, len(CONTENT), b"").headers["Upload-Offset"] == str(len(CONTENT))
    refused(send(market.provider, path, 0, CONTENT), 409, "upload-offset-wrong")
    assert names(market, release_id) == ["人流.csv"]


def test_an_upload_that_is_given_up_leaves_nothing(market: Market, release_id: str) -> None:
    path, lying = begun(market, release_id), parts()
    send(market.provider, path, 0, CONTENT[:HALF])
    assert market.provider.call("DELETE", path, headers=RESUMABLE).status_code == 204
    assert head(market.provider, path).status_code == 404
    refused(send(market.provider, path, HALF, CONTENT[HALF:]), 404, "not-found")
    refused(market.provider.call("DELETE", path, headers=RESUMABLE), 404, "not-found")
    assert (names(market, release_id), room(market), parts()) == ([], (0, 0, 0), lying)


def test_forgetting_a_complete_upload_leaves_its_file(market: Market, release_id: str) -> None:
    path = begun(market, release_id)
    send(market.provider, path, 0, CONTENT)
    before = audit_count()
    assert market.provider.call("DELETE", path, headers=RESUMABLE).status_code == 204
    assert (names(market, release_id), room(market), audit_count()) == (["人流.csv"], (len(CONTENT), 0, 0), before)


def test_an_upload_that_nobody_goes_on_with_expires(market: Market, release_id: str) -> None:
    abandoned = begun(market, release_id)
    send(market.provider, abandoned, 0, CONTENT[:HALF])
    with clock.stopped(clock.now() + timedelta(days=6)):
        later = market.provider.with_scopes("catalog:read", "catalog:write")
        assert send(later, abandoned, HALF, CONTENT[HALF:-1]).status_code == 204  # which lets it live on
    with clock.stopped(clock.now() + timedelta(days=12)):
        uploading.expire()
        assert room(market) == (0, len(CONTENT), 1)
    with clock.stopped(clock.now() + timedelta(days=13, hours=1)):
        later = market.provider.with_scopes("catalog:read", "catalog:write")
        assert head(later, abandoned).status_code == 404
        part = db.session.scalars(select(Upload.part)).one()
        uploading.expire()
        assert (part in parts(), room(market)) == (False, (0, 0, 0))
        assert db.session.scalars(select(Upload)).all() == []


def test_parts_that_no_upload_names_are_removed_after_a_day(market: Market, release_id: str) -> None:
    path = begun(market, release_id)
    send(market.provider, path, 0, CONTENT[:HALF])
    with facilities.current().parts.hold("lost", 0) as part:
        part.write(b"lost", 4)
    with clock.stopped(clock.now() + timedelta(days=2)):
        uploading.expire()
    assert "lost" not in parts()
    assert send(market.provider, path, HALF, CONTENT[HALF:]).status_code == 204


@pytest.mark.parametrize("said", ["0.2.2", "1.0", ""])
def test_another_version_of_the_protocol_is_refused(market: Market, release_id: str, said: str) -> None:
    path, before = begun(market, release_id), row_counts()
    answer = send(market.provider, path, 0, CONTENT, Tus_Resumable=said)
    refused(answer, 412, "tus-version-unknown")
    assert answer.headers["Tus-Version"] == "1.0.0"
    refused(begin(market.provider, release_id, Tus_Resumable=said), 412, "tus-version-unknown")
    assert market.provider.call("HEAD", path, headers={"Tus-Resumable": said}).status_code == 412
    assert row_counts() == before


def test_options_tell_what_is_spoken(market: Market, release_id: str) -> None:
    answer = market.nobody.call("OPTIONS", f"/v1/releases/{release_id}/uploads")
    assert answer.status_code in {200, 204}
    assert answer.headers["Tus-Version"] == answer.headers["Tus-Resumable"] == "1.0.0"
    assert answer.headers["Tus-Extension"].split(",") == ["creation", "expiration", "checksum", "termination"]
    assert answer.headers["Tus-Checksum-Algorithm"].split(",") == ["sha1", "sha256"]
    assert int(answer.headers["Tus-Max-Size"]) == 20 * 2**30


UNREADABLE = {
    "no length": ({"Upload_Length": ""}, "/Upload-Length"),
    "a negative length": ({"Upload_Length": "-1"}, "/Upload-Length"),
    "no name": ({"Upload_Metadata": "filetype dGV4dC9jc3Y="}, "/Upload-Metadata"),
    "no base64": ({"Upload_Metadata": "filename a.csv"}, "/Upload-Metadata"),
    "no UTF-8": ({"Upload_Metadata": "filename /w=="}, "/Upload-Metadata"),
    "no hash": ({"Upload_Metadata": "filename YS5jc3Y=,sha256 YS5jc3Y="}, "/Upload-Metadata"),
    "too much": ({"Upload_Metadata": "filename YS5jc3Y=,x " + "YQ==" * 1100}, "/Upload-Metadata"),
    "no media type": ({"Upload_Metadata": "filename YS5jc3Y=,filetype YS5jc3Y="}, "/media_type"),
}


@pytest.mark.parametrize(("headers", "pointer"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_begins_nothing(
    market: Market, release_id: str, headers: dict[str, str], pointer: str
) -> None:
    before = row_counts()
    refused(begin(market.provider, release_id, **headers), 422, "invalid-input", pointer)
    assert row_counts() == before


def test_metadata_that_only_the_client_knows_is_taken(market: Market, release_id: str) -> None:
    told = "filename YS5jc3Y=,relativePath bnVsbA==,is_public"
    assert begin(market.provider, release_id, Upload_Metadata=told).status_code == 201


def test_a_piece_in_another_form_is_refused(market: Market, release_id: str) -> None:
    path = begun(market, release_id)
    refused(send(market.provider, path, 0, CONTENT, Content_Type="text/csv"), 415, "unsupported-media-type")
    assert offset(market, path) == 0


def test_what_a_put_would_be_refused_begins_nothing(market: Market, release_id: str) -> None:
    before = row_counts()
    refused(begin(market.provider, release_id, said={"filename": "../a.csv"}), 422, "file-name-unsafe")
    refused(begin(market.provider, release_id, size=20 * 2**30 + 1), 413, "too-large")
    assert row_counts() == before
    ok(market.upload(release_id), 201)
    market.publish(release_id)
    before = row_counts()
    refused(begin(market.provider, release_id, said={"filename": "b.csv"}), 409, "release-sealed")
    assert row_counts() == before


def test_a_release_that_is_sealed_meanwhile_takes_no_more_of_it(market: Market, release_id: str) -> None:
    path = begun(market, release_id, said={"filename": "b.csv"})
    send(market.provider, path, 0, CONTENT[:HALF])
    ok(market.upload(release_id), 201)
    market.publish(release_id)
    before = row_counts()
    refused(send(market.provider, path, HALF, CONTENT[HALF:]), 409, "release-sealed")
    assert (row_counts(), offset(market, path)) == (before, HALF)


def test_a_name_that_is_taken_meanwhile_leaves_the_upload_as_it_was(market: Market, release_id: str) -> None:
    path = begun(market, release_id)
    send(market.provider, path, 0, CONTENT[:HALF])
    ok(market.upload(release_id, content=b"another"), 201)
    before = row_counts()
    refused(send(market.provider, path, HALF, CONTENT[HALF:]), 409, "file-name-taken")
    assert (row_counts(), offset(market, path)) == (before, HALF)
    assert room(market) == (len(b"another"), len(CONTENT), 1)


def test_nobody_goes_on_with_the_upload_of_another(market: Market, release_id: str) -> None:
    path, before = begun(market, release_id), row_counts()
    for who, status in ((market.rival, 404), (market.buyer, 403), (market.operator, 403), (market.nobody, 401)):
        assert send(who, path, 0, CONTENT).status_code == status
        assert who.call("DELETE", path, headers=RESUMABLE).status_code == status
        assert begin(who, release_id).status_code == status
    assert head(market.rival, path).status_code == 404
    assert (row_counts(), offset(market, path)) == (before, 0)


def test_the_uploads_of_a_release_are_listed_newest_first(market: Market, release_id: str) -> None:
    paths = [begun(market, release_id, said={"filename": f"{number}.csv"}) for number in range(3)]
    listed = ok(market.provider.get(f"/v1/releases/{release_id}/uploads", query_string={"size": 2}))
    assert [f"/v1/uploads/{one['id']}" for one in listed["items"]] == paths[:0:-1]
    rest = {"cursor": listed["next_cursor"]}
    [last] = ok(market.provider.get(f"/v1/releases/{release_id}/uploads", query_string=rest))["items"]
    assert f"/v1/uploads/{last['id']}" == paths[0]
    refused(market.rival.get(f"/v1/releases/{release_id}/uploads"), 404, "not-found")


def test_a_provider_has_so_much_room_and_no_more(make_settings: Any, clone: Any) -> None:
    app = create_app(make_settings(clone(), provider_stored_bytes_max=1000, provider_uploads_open_max=2))
    with app.app_context():
        market = market_of(app)
        release_id = market.release(market.dataset()["id"])["id"]
        ok(market.upload(release_id, content=b"x" * 600), 201)
        before = row_counts()
        told = refused(
            begin(market.provider, release_id, size=401, said={"filename": "b.csv"}), 403, "provider-quota-exhausted"
        )
        named = {name: told[name] for name in ("limit_bytes", "stored_bytes", "reserved_bytes", "left_bytes")}
        assert named == {"limit_bytes": 1000, "stored_bytes": 600, "reserved_bytes": 0, "left_bytes": 400}
        refused(market.upload(release_id, "b.csv", b"y" * 401), 403, "provider-quota-exhausted")
        refused(
            begin(market.provider, release_id, size=1001, said={"filename": "b.csv"}), 403, "provider-quota-exhausted"
        )
        assert row_counts() == before
        path = begun(market, release_id, size=300, said={"filename": "b.csv"})
        refused(market.upload(release_id, "c.csv", b"y" * 101), 403, "provider-quota-exhausted")
        begun(market, release_id, size=100, said={"filename": "c.csv"})
        many = refused(
            begin(market.provider, release_id, size=0, said={"filename": "d.csv"}), 403, "uploads-open-too-many"
        )
        assert (many["uploads_open"], many["uploads_open_max"]) == (2, 2)
        assert send(market.provider, path, 0, b"z" * 300).status_code == 204
        assert room(market) == (900, 100, 1)
        app.extensions[streams.EXTENSION].stop()
        db.session.remove()
        db.engine.dispose()
