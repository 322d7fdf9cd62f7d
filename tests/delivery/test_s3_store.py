"""A bucket keeps all of a file or nothing of it, says so when it cannot, and its local folder stays small."""

import hashlib
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from marketplace.delivery.errors import BytesMissing, DigestMismatch, StorageFull, StoreUnavailable
from marketplace.delivery.stores import Stored, presigned
from marketplace.delivery.stores.presigned import Links
from marketplace.delivery.stores.s3 import PART_BYTES_MIN, S3Store
from marketplace.kit.errors import TooLarge
from tests import s3

CONTENT = "施設名,緯度,経度\r\n札幌市役所,43.062,141.354\r\n".encode("cp932")
SHA = hashlib.sha256(CONTENT).hexdigest()
PATH = f"/musubi/exchange/{SHA[:2]}/{SHA[2:4]}/{SHA}"
ROOM = 2**30


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    with s3.served(tmp_path_factory.mktemp("s3")) as address:
        yield address


@pytest.fixture
def new_store(endpoint, tmp_path):
    """Stores of one bucket, each with a folder of its own, as on machines of their own."""

    def make(name="here", room=ROOM, **more):
        return S3Store(s3.place(endpoint, **({"prefix": tmp_path.name} | more)), tmp_path / name, room)

    return make


@pytest.fixture
def bucket():
    with s3.troubled() as failing:
        yield failing


@pytest.fixture
def patient(bucket, tmp_path):
    """A store that asks a failing bucket twice, and waits a second."""
    return S3Store(s3.place(bucket.endpoint, timeout_seconds=1, retries_max=1), tmp_path / "cache", ROOM)


def read(store, sha256):
    with store.open(sha256) as file:
        return file.read()


def kept(tmp_path, name="here"):
    return sorted(path.name for path in (tmp_path / name).glob("??/??/*"))


def pieces(size):
    return [bytes([number % 251]) * min(2**20, size - number * 2**20) for number in range(-(-size // 2**20))]


def test_what_one_machine_received_another_reads(new_store):
    assert new_store().receive([CONTENT[:7], b"", CONTENT[7:]], 10**6) == Stored(SHA, len(CONTENT))
    other = new_store("there")
    assert other.holds(SHA)
    assert not other.is_near(SHA)
    assert read(other, SHA) == CONTENT
    assert other.is_near(SHA)


def test_a_file_of_many_parts_arrives_whole(new_store):
    content = b"".join(pieces(3 * PART_BYTES_MIN + 12345))
    stored = new_store().receive(iter(pieces(len(content))), len(content))
    assert stored == Stored(hashlib.sha256(content).hexdigest(), len(content))
    assert read(new_store("there"), stored.sha256) == content


def test_an_empty_file_is_a_file(new_store):
    stored = new_store().receive([], 0)
    assert read(new_store("there"), stored.sha256) == b""


def test_what_is_opened_is_a_file_of_its_own_descriptor_that_can_be_read_anywhere(new_store):
    new_store().receive([CONTENT], 10**6)
    with new_store("there").open(SHA) as file:
        assert os.pread(file.fileno(), 4, 7) == CONTENT[7:11]
        assert Path(file.name).stat().st_size == len(CONTENT)


@pytest.mark.parametrize(
    ("refusal", "limit", "announced"),
    [(TooLarge, 3, None), (DigestMismatch, 10**6, "0" * 64)],
    ids=["too large", "another digest"],
)
def test_what_is_refused_never_reaches_the_bucket(new_store, tmp_path, refusal, limit, announced):
    with pytest.raises(refusal):
        new_store().receive([CONTENT], limit, announced)
    assert not new_store("there").holds(SHA)
    assert kept(tmp_path) == []


def test_what_nobody_sent_is_missing(new_store):
    store = new_store()
    assert not store.holds("f" * 64)
    for name in ("f" * 64, "../incoming"):
        with pytest.raises(BytesMissing):
            store.open(name)


def test_with_a_wrong_key_nothing_is_kept_and_the_store_says_that_it_has_failed(new_store, tmp_path):
    with pytest.raises(StoreUnavailable):
        new_store(secret_access_key="wrong").receive([CONTENT], 10**6)
    assert not new_store("there").holds(SHA)
    assert "403" in new_store(secret_access_key="wrong").trouble()
    assert new_store().trouble() is None


def test_the_folder_keeps_what_was_read_last_and_no_more_than_it_may(new_store, tmp_path):
    names = [new_store().receive([bytes([one]) * 1000], 10**6).sha256 for one in range(4)]
    small = new_store("small", room=2500)
    for place, name in enumerate((names[0], names[1], names[0], names[2])):
        with small.open(name) as file:
            os.utime(file.fileno(), ns=(place, place))  # as if time had passed
    assert kept(tmp_path, "small") == sorted([names[0], names[2]])
    assert read(small, names[3]) == bytes([3]) * 1000


def test_a_file_larger_than_the_folder_may_be_is_read_all_the_same(new_store, tmp_path):
    new_store().receive([CONTENT], 10**6)
    assert read(new_store("tiny", room=10), SHA) == CONTENT


def test_abandoned_uploads_are_cleared_and_kept_files_stay(new_store, tmp_path):
    store = new_store()
    store.receive([CONTENT], 10**6)
    (tmp_path / "here" / "incoming" / "left").write_bytes(b"x")
    assert store.clear_abandoned(datetime.now(UTC) + timedelta(minutes=1)) == 1
    assert store.holds(SHA)


def begun(where):
    """An upload in parts that began and was left."""
    links = Links(where.bucket_url, where.region, where.keys)
    url = presigned.sign(f"{where.url}/aa/left", {"uploads": ""}, {}, links, datetime.now(UTC), method="POST")
    assert requests.post(url, timeout=60).status_code == 200


def test_parts_that_were_never_completed_are_removed_from_the_bucket_once_they_are_old(new_store, endpoint, tmp_path):
    store, now = new_store(), datetime.now(UTC)
    store.receive([CONTENT], 10**6)  # so that there is a bucket
    begun(s3.place(endpoint, prefix=tmp_path.name))
    begun(s3.place(endpoint, prefix=f"{tmp_path.name}-of-another"))
    assert store.clear_abandoned(now - timedelta(hours=1)) == 0
    assert store.clear_abandoned(now + timedelta(hours=1)) == 1
    assert store.clear_abandoned(now + timedelta(hours=1)) == 0


@pytest.mark.parametrize(
    "keys", [{"access_key_id": None, "secret_access_key": None}, {"secret_access_key": "wrong"}], ids=["none", "wrong"]
)
def test_without_a_key_that_opens_the_bucket_its_parts_stay(new_store, keys):
    assert new_store(**keys).clear_abandoned(datetime.now(UTC) + timedelta(hours=1)) == 0


def test_many_readers_of_a_file_that_is_far_fetch_it_once(bucket, patient):
    bucket.objects[PATH] = CONTENT
    start, found = threading.Barrier(8), []

    def fetch():
        start.wait()
        found.append(read(patient, SHA))

    threads = [threading.Thread(target=fetch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [CONTENT] * 8
    assert bucket.asked.count("GET") == 1


@pytest.mark.parametrize("trouble", ["500", "503", "silent", "truncated"])
def test_one_failure_is_asked_again_and_more_are_admitted(bucket, patient, tmp_path, trouble):
    bucket.objects[PATH] = CONTENT
    bucket.plan["GET"] = [trouble] * 2
    with pytest.raises(StoreUnavailable):
        patient.open(SHA)
    assert kept(tmp_path, "cache") == []
    bucket.plan["GET"] = [trouble]
    assert read(patient, SHA) == CONTENT


def test_an_object_that_is_not_what_its_name_says_is_never_read(bucket, patient, tmp_path):
    bucket.objects[PATH] = CONTENT[::-1]
    with pytest.raises(BytesMissing):
        patient.open(SHA)
    assert kept(tmp_path, "cache") == []


def test_an_upload_to_a_bucket_that_fails_is_not_acknowledged(bucket, patient):
    bucket.plan["PUT"] = ["500"] * 2
    with pytest.raises(StoreUnavailable):
        patient.receive([CONTENT], 10**6)
    assert bucket.objects == {}
    assert patient.receive([CONTENT], 10**6).sha256 == SHA
    assert bucket.objects == {PATH: CONTENT}


def test_a_full_bucket_says_so(bucket, patient):
    bucket.plan["PUT"] = ["507"] * 2
    with pytest.raises(StorageFull):
        patient.receive([CONTENT], 10**6)
    assert bucket.objects == {}


def test_identical_content_is_sent_once(bucket, patient):
    for _ in range(2):
        patient.receive([CONTENT], 10**6)
    assert bucket.asked.count("PUT") == 1
