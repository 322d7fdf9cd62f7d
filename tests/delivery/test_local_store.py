"""The local store keeps all of a file or nothing of it."""

import errno
import hashlib
import os
import resource
import threading
from datetime import UTC, datetime, timedelta

import pytest

from marketplace.delivery.errors import BytesMissing, DigestMismatch, StorageFull, UploadTruncated
from marketplace.delivery.stores import Stored
from marketplace.delivery.stores.local import LocalStore
from marketplace.kit.errors import TooLarge

CONTENT = "施設名,緯度,経度\r\n札幌市役所,43.062,141.354\r\n".encode("cp932")
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "store")


def read(store, sha256):
    with store.open(sha256) as file:
        return file.read()


def files_in(tmp_path):
    return sorted(path for path in (tmp_path / "store").rglob("*") if path.is_file())


def test_bytes_are_kept_exactly_as_received_under_their_hash(store, tmp_path):
    assert store.receive([CONTENT[:7], b"", CONTENT[7:]], 10**6) == Stored(SHA, len(CONTENT))
    assert files_in(tmp_path) == [tmp_path / "store" / SHA[:2] / SHA[2:4] / SHA]
    assert store.holds(SHA)
    assert read(store, SHA) == CONTENT


def test_what_was_announced_and_came_is_accepted_in_either_case_of_hex(store):
    assert store.receive([CONTENT], len(CONTENT), SHA.upper(), len(CONTENT)).sha256 == SHA


def test_an_empty_file_is_a_file(store):
    stored = store.receive([], 0)
    assert stored == Stored(hashlib.sha256(b"").hexdigest(), 0)
    assert read(store, stored.sha256) == b""


def test_identical_content_is_kept_once(store, tmp_path):
    first = store.receive([CONTENT], 10**6)
    inode = files_in(tmp_path)[0].stat().st_ino
    assert store.receive(iter([CONTENT]), 10**6) == first
    assert [path.stat().st_ino for path in files_in(tmp_path)] == [inode]


def test_many_uploads_of_the_same_content_at_once_leave_one_file(store, tmp_path):
    start, stored = threading.Barrier(8), []

    def upload():
        start.wait()
        stored.append(store.receive([CONTENT] * 50, 10**6))

    threads = [threading.Thread(target=upload) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stored) == 8
    assert len(set(stored)) == 1
    assert len(files_in(tmp_path)) == 1


def test_a_damaged_file_is_healed_by_the_next_upload(store, tmp_path):
    store.receive([CONTENT], 10**6)
    files_in(tmp_path)[0].write_bytes(CONTENT[:5])
    store.receive([CONTENT], 10**6)
    assert read(store, SHA) == CONTENT


def test_a_file_over_the_limit_is_refused_before_the_rest_is_read(store, tmp_path):
    def endless():
        while True:
            yield b"x" * 100

    with pytest.raises(TooLarge) as refusal:
        store.receive(endless(), 1000)
    assert refusal.value.members == {"limit_bytes": 1000}
    assert files_in(tmp_path) == []


def test_a_file_of_exactly_the_limit_is_accepted(store):
    assert store.receive([b"x" * 1000], 1000).size_bytes == 1000


@pytest.mark.parametrize("announced", [len(CONTENT) + 1, len(CONTENT) - 1])
def test_a_file_of_another_length_than_announced_is_refused(store, tmp_path, announced):
    with pytest.raises(UploadTruncated):
        store.receive([CONTENT], 10**6, expected_size=announced)
    assert files_in(tmp_path) == []


def test_a_file_of_another_hash_than_announced_is_refused(store, tmp_path):
    with pytest.raises(DigestMismatch, match=SHA):
        store.receive([CONTENT], 10**6, expected_sha256="0" * 64)
    assert files_in(tmp_path) == []


def test_a_sender_that_vanishes_leaves_nothing(store, tmp_path):
    def vanishing():
        yield CONTENT
        raise ConnectionResetError(errno.ECONNRESET, "gone")

    with pytest.raises(ConnectionResetError):
        store.receive(vanishing(), 10**6)
    assert files_in(tmp_path) == []


def test_a_kernel_that_refuses_more_bytes_means_storage_full(store, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(StorageFull):
            store.receive([b"x" * 3000] * 3, 10**6)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("call", ["open", "write", "fsync"])
def test_a_full_disk_at_any_step_keeps_nothing(store, tmp_path, monkeypatch, call):
    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(StorageFull):
        store.receive([CONTENT], 10**6)
    monkeypatch.undo()
    assert files_in(tmp_path) == []
    assert store.receive([CONTENT], 10**6).sha256 == SHA


def test_any_other_trouble_of_the_disk_is_not_called_full(store, monkeypatch):
    def broken(*_args):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "write", broken)
    with pytest.raises(OSError, match="Input/output"):
        store.receive([CONTENT], 10**6)


def test_short_writes_of_the_kernel_lose_nothing(store, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    assert store.receive([CONTENT], 10**6).sha256 == SHA
    monkeypatch.undo()
    assert read(store, SHA) == CONTENT


@pytest.mark.parametrize("name", ["f" * 64, "../../etc/passwd", "", SHA.upper(), "f" * 63 + "\n"])
def test_bytes_that_are_not_there_are_our_fault(store, name):
    with pytest.raises(BytesMissing) as refusal:
        store.open(name)
    assert refusal.value.status == 500


def test_a_name_that_is_no_hash_is_never_looked_up(store):
    with pytest.raises(BytesMissing):
        store.holds("../incoming")
    assert not store.holds("f" * 64)


def test_only_uploads_that_died_long_ago_are_cleared(store, tmp_path):
    now = datetime.now(UTC)
    store.receive([CONTENT], 10**6)
    old, young = (tmp_path / "store" / "incoming" / name for name in ("old", "young"))
    for path, age in ((old, 3600), (young, 10)):
        path.write_bytes(b"half")
        os.utime(path, (now.timestamp() - age,) * 2)
    assert store.clear_abandoned(now - timedelta(minutes=10)) == 1
    assert not old.exists()
    assert young.exists()
    assert store.holds(SHA)


def test_an_upload_that_was_cleared_meanwhile_is_not_an_error(store, tmp_path, monkeypatch):
    (tmp_path / "store" / "incoming" / "old").write_bytes(b"half")
    monkeypatch.setattr("pathlib.Path.unlink", lambda *_args, **_named: (_ for _ in ()).throw(FileNotFoundError))
    assert store.clear_abandoned(datetime.now(UTC) + timedelta(minutes=1)) == 0


def test_a_large_upload_does_not_grow_the_process(store):
    chunk = os.urandom(2**20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    stored = store.receive((chunk for _ in range(256)), 2**30)
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert stored.size_bytes == 256 * 2**20
    assert grown_kib < 32 * 1024
