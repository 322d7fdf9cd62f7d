"""What a store is told to remove is gone for good: from the folder, from the bucket, and from each machine's copies."""

import hashlib
from datetime import UTC, datetime

import pytest
import requests

from marketplace.delivery.errors import BytesMissing, StoreUnavailable
from marketplace.delivery.stores import presigned, versions
from marketplace.delivery.stores.local import LocalStore
from marketplace.delivery.stores.presigned import Links
from marketplace.delivery.stores.s3 import S3Store
from tests import s3

CONTENT = "番号,氏名\r\n1,山田\r\n".encode()
SHA = hashlib.sha256(CONTENT).hexdigest()
KEY = f"{SHA[:2]}/{SHA[2:4]}/{SHA}"
VERSIONED = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
ROOM = 2**30


class Refused(Exception):
    """What a judge says."""


def refuse(_stored):
    raise Refused


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    with s3.served(tmp_path_factory.mktemp("s3")) as address:
        yield address


def machine(endpoint, folder, **more):
    return S3Store(s3.place(endpoint, **more), folder, ROOM)


def asked(place, method, path, query, body=b""):
    links = Links(place.bucket_url, place.region, place.keys)
    url = presigned.sign(place.bucket_url + path, query, {}, links, datetime.now(UTC), method=method)
    answer = requests.request(method, url, data=body, timeout=60)
    answer.raise_for_status()
    return answer.text


def test_a_folder_forgets_what_it_is_told_to_while_readers_read_on(tmp_path):
    store = LocalStore(tmp_path)
    store.receive([CONTENT], 10**6)
    with store.open(SHA) as reader:
        store.remove(SHA)
        store.remove(SHA)
        assert reader.read() == CONTENT
    assert not store.holds(SHA)
    with pytest.raises(BytesMissing):
        store.remove("../../etc/passwd")
    store.receive([CONTENT], 10**6)
    store.forget_near(lambda names: names)
    assert store.holds(SHA)


def test_bytes_that_are_judged_away_were_never_kept(tmp_path, endpoint):
    for store in (LocalStore(tmp_path / "store"), machine(endpoint, tmp_path / "cache", prefix="judged")):
        with pytest.raises(Refused):
            store.receive([CONTENT], 10**6, judge=refuse)
        assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size]
    assert not store.holds(SHA)


def test_a_bucket_forgets_all_versions_and_the_copies_of_this_machine_and_of_others(tmp_path, endpoint):
    place = s3.place(endpoint, prefix="removed")
    here, there = (machine(endpoint, tmp_path / name, prefix="removed") for name in ("here", "there"))
    here.receive([b"another"], 10**6)  # so that there is a bucket
    asked(place, "PUT", "", {"versioning": ""}, VERSIONED)
    for _turn in range(2):
        here.receive([CONTENT], 10**6)
        s3_path = f"/removed/{KEY}"
        asked(place, "DELETE", s3_path, {})  # a mark, that hides and keeps
    here.receive([CONTENT], 10**6)
    there.bring_near(SHA)
    assert asked(place, "GET", "", {"versions": "", "prefix": f"removed/{KEY}"}).count("<VersionId>") >= 4
    here.remove(SHA)
    told = asked(place, "GET", "", {"versions": "", "prefix": f"removed/{KEY}"})
    assert "<VersionId>" not in told
    assert not here.holds(SHA)
    assert not here.is_near(SHA)
    assert there.is_near(SHA)
    there.forget_near(lambda names: {SHA} & set(names))
    assert not there.is_near(SHA)
    assert here.holds(hashlib.sha256(b"another").hexdigest())
    here.remove(SHA)


def test_a_bucket_that_fails_is_not_taken_to_have_removed(tmp_path):
    with s3.troubled() as bucket:
        store = machine(bucket.endpoint, tmp_path, timeout_seconds=1, retries_max=0)
        with pytest.raises(StoreUnavailable):
            store.remove(SHA)


def test_without_keys_versions_are_the_buckets_to_expire(endpoint):
    assert versions.remove(s3.place(endpoint, access_key_id=None, secret_access_key=None), KEY) == 0
