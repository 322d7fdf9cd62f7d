"""`kill -9` of the whole server in the middle of things: what was acknowledged is there once, the rest can be retried."""

import hashlib
import json
import threading
import uuid
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import requests
from sqlalchemy import func, select, text

from marketplace.access.models import Grant
from marketplace.catalog.models import File
from marketplace.demo import buying
from marketplace.exchange import download
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.metering.models import UsageEvent
from tests.faults.gate import Gate, gate
from tests.faults.started import BIG, BIG_BYTES, BIG_SHA256, SERVER_GONE, Live, Reader
from tests.faults.world import assert_sold_once, count
from tests.live import wait_until

UPLOAD = b"0123456789abcdef" * 2**16
UPLOAD_SHA256 = hashlib.sha256(UPLOAD).hexdigest()


@pytest.fixture
def behind_gate(own_database: Any, start_live: Any) -> Any:
    """A real server whose payment gateway is a program of this test, and can be made to hold its answers."""
    with gate(own_database) as held:
        held.live = start_live(
            stripe_api_key="sk_test_sandbox",
            stripe_api_base=f"{held.url}/sandbox",
            stripe_webhook_secrets=held.secret,
            stripe_max_retries=0,
        )
        yield held


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_kill_in_an_upload_leaves_nothing_or_the_whole_file(live: Live, share: float) -> None:
    provider = live.provider()
    release = provider.post(f"/v1/datasets/{live.world.dataset_id}/releases", {"label": "次", "notes": ""})
    path = f"/v1/releases/{release['id']}/files/a.bin"
    sender = begin_upload(live, path, int(len(UPLOAD) * share))
    wait_until("the upload to begin", lambda: share == 1.0 or incoming(live))
    live.kill_and_restart()
    sender.vanish()

    files = provider.get(f"/v1/releases/{release['id']}")["files"]
    assert [file["sha256"] for file in files] in ([], [UPLOAD_SHA256])
    if share < 1.0:
        assert files == []
    again = provider.call("PUT", path, data=UPLOAD)
    assert (again.status_code, again.json()["sha256"]) == (201, UPLOAD_SHA256)
    with clock.stopped(clock.now() + timedelta(days=2)):
        download.tidy()
    assert incoming(live) == []
    assert count(File, File.release_id == release["id"]) == 1
    wait_until("the profile", lambda: provider.get(path)["profile_state"] != "pending")
    live.assert_sound()


@pytest.mark.parametrize("moment", ["asked", "answered"])
def test_a_kill_between_the_order_and_the_gateways_answer_is_healed_by_the_same_key(
    behind_gate: Gate, moment: str
) -> None:
    live, offer, key = behind_gate.live, behind_gate.live.world.offer(), str(uuid.uuid4())
    behind_gate.hold("POST", "/v1/checkout/sessions", moment)
    lost = in_background(lambda: live.place(offer, key))
    behind_gate.wait_held()
    live.exchange.kill()
    behind_gate.let_go()
    lost.join()
    live.exchange.restart()

    placed = live.place(offer, key)
    assert placed.status_code == 201, placed.text
    assert placed.json()["checkout_url"]
    assert live.place(offer, key).json()["id"] == placed.json()["id"]
    assert behind_gate.sessions() == 1
    behind_gate.pay(placed.json()["checkout_url"])
    behind_gate.deliver_events()
    live.wait_fulfilled(placed.json()["id"])
    assert_sold_once(placed.json()["id"])


def test_a_kill_between_a_webhook_and_its_work_loses_nothing(behind_gate: Gate) -> None:
    live = behind_gate.live
    placed = live.place(live.world.offer()).json()
    behind_gate.pay(placed["checkout_url"])
    behind_gate.hold("GET", "/v1/checkout/sessions/", "asked")
    assert set(behind_gate.deliver_events()) == {200}
    behind_gate.wait_held()
    live.exchange.kill()
    behind_gate.let_go()
    assert live.world.state(placed["id"]) == "placed"
    assert live.jobs(), "the job that was under way should be left over"

    live.exchange.restart()
    live.wait_fulfilled(placed["id"])
    assert_sold_once(placed["id"])
    live.wait_idle()
    assert stuck_jobs() == 0
    assert set(behind_gate.deliver_events()) == {200}
    live.wait_idle()
    assert_sold_once(placed["id"])


def test_kills_at_any_moment_of_many_purchases_lose_no_acknowledged_order(live: Live) -> None:
    offer = live.world.offer()
    acknowledged: dict[str, str] = {}
    for kills_after in (1, 3, 6):
        keys = [str(uuid.uuid4()) for _ in range(8)]
        enough = threading.Semaphore(0)
        deeds = [partial(buy, live, offer, key, acknowledged, enough) for key in keys]
        buyers = [in_background(deed) for deed in deeds]
        for _ in range(kills_after):
            assert enough.acquire(timeout=180)
        live.exchange.kill()
        for buyer in buyers:
            buyer.join()
        live.exchange.restart()
        for key in keys:
            placed = live.place(offer, key)
            assert placed.status_code == 201, placed.text
            order = placed.json()
            assert acknowledged.get(key, order["id"]) == order["id"]
            acknowledged[key] = order["id"]
            if order["payment_state"] != "paid" and order["checkout_url"]:
                pay_or_find_paid(order["checkout_url"])
    for order_id in acknowledged.values():
        live.wait_fulfilled(order_id)
        assert_sold_once(order_id)
    assert count(Grant) == len(acknowledged) == 24
    live.wait_idle()
    live.assert_sound()
    assert stuck_jobs() == 0


def test_a_kill_in_a_download_is_swept_and_never_charged_too_much(live: Live) -> None:
    live.publish_big()
    grant_id = live.grant()
    got = 0
    for share in (0.0, 0.5, 0.99):
        reader = live.reader(grant_id)
        assert reader.head() == 200
        got = max(got, len(reader.take(int(len(BIG_BYTES) * share))))
        live.exchange.kill()
        kernel = 2 * 65536 * 2
        reader.vanish()
        assert live.open_deliveries() == 1
        live.exchange.restart()
        live.sweep()
        assert live.open_deliveries() == 0
        quota = live.quota(grant_id)
        assert quota.reserved_bytes == 0
        assert quota.used_bytes <= got + kernel
    whole = live.buyer().call("GET", f"/v1/grants/{grant_id}/files/{BIG}").content
    assert hashlib.sha256(whole).hexdigest() == BIG_SHA256
    live.wait_closed()
    assert live.quota(grant_id).used_bytes == len(BIG_BYTES)
    charged = db.session.scalar(select(func.sum(UsageEvent.bytes_new)).where(UsageEvent.grant_id == grant_id))
    assert charged == len(BIG_BYTES)
    live.assert_sound()


def begin_upload(live: Live, path: str, size: int) -> Reader:
    """Send the head of an upload and so many bytes of its body."""
    head = f"PUT {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {live.provider().token()}\r\n"
    sender = Reader.__new__(Reader)
    Reader.__init__(sender, live.exchange.port, "/v1/health", "", None)
    sender.head()
    sender.take(int(sender.headers["content-length"]))
    sender.socket.sendall(f"{head}Content-Length: {len(UPLOAD)}\r\n\r\n".encode() + UPLOAD[:size])
    return sender


def incoming(live: Live) -> list[str]:
    return [path.name for path in (live.exchange.data_dir / "store" / "incoming").iterdir()]


def buy(live: Live, offer: Any, key: str, acknowledged: dict[str, str], enough: threading.Semaphore) -> None:
    """Order and pay; note what is acknowledged; stop where the server is gone."""
    try:
        order = live.place(offer, key)
        if order.status_code == 201:
            acknowledged[key] = order.json()["id"]
            enough.release()
            pay_or_find_paid(order.json()["checkout_url"])
    except (*SERVER_GONE, buying.DemoFailed):
        return


def pay_or_find_paid(checkout_url: str) -> None:
    answer = requests.post(f"{checkout_url}/pay", allow_redirects=False, timeout=180)
    assert answer.status_code in {303, 409}


def in_background(deed: Any) -> threading.Thread:
    """Run a deed whose connection will be lost."""

    def run() -> None:
        try:
            deed()
        except (*SERVER_GONE, json.JSONDecodeError):
            return

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def stuck_jobs() -> int:
    """Jobs of workers that are dead."""
    db.session.rollback()
    query = (
        "SELECT count(*) FROM procrastinate_jobs j LEFT JOIN procrastinate_workers w ON w.id = j.worker_id WHERE"
        " j.status = 'doing' AND (w.id IS NULL OR w.last_heartbeat < now() - interval '30 seconds')"
    )
    return db.session.execute(text(query)).scalar() or 0
