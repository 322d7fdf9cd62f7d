"""A started exchange delivers over TLS to receivers that verify by the published libraries, whatever comes between."""

import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import certificates, live
from tests.conformance import environments
from tests.conformance.scripts import hear, tell

HERE, HOST = Path(__file__).parent, "hooks.example.jp"
TITLES = {
    "title_ja": "大通地区の人流", "title_en": "Footfall in Odori",
    "description_ja": "1時間ごとの通行量。", "description_en": "Passers-by by the hour.",
}  # fmt: skip
# In the server's processes alone: the one name leads to a port of this machine. TLS and all else is as it always is.
ASIDE = """
import ipaddress
from marketplace.kit import outbound
outbound.PORT = {port}
outbound._address_of = lambda host: ipaddress.ip_address("127.0.0.1")
"""


@contextmanager
def in_python(_request):
    python = environments.installed(HERE / "hooks")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "encoding": "utf-8"}
    process = subprocess.Popen([python, HERE / "hooks" / "listen.py"], env={"PYTHONUTF8": "1"}, **pipes)
    patience = threading.Timer(live.WAIT_SECONDS * 2, process.kill)
    patience.start()
    with process:
        try:
            yield process
        finally:
            process.kill()
            patience.cancel()


def in_javascript(request):
    return request.getfixturevalue("scripts").started("listener.mjs")


@pytest.fixture(params=[in_python, in_javascript], ids=["python", "javascript"])
def receiver(request, tmp_path):
    """A receiver that listens, and has not been told a secret yet."""
    certificate, key = certificates.write(tmp_path, HOST)
    with request.param(request) as process:
        tell(process, {"certificate": str(certificate), "key": str(key), "secret": "whsec_QUJD", "statuses": []})
        process.port = hear(process)["port"]
        yield process


@pytest.fixture
def exchange(receiver, tmp_path, clone):
    aside = tmp_path / "aside"
    aside.mkdir()
    (aside / "sitecustomize.py").write_text(ASIDE.format(port=receiver.port))
    settings = {"pythonpath": f"{aside}:{live.ROOT}", "ssl_cert_file": tmp_path / "certificate.pem"}
    with live.exchange(tmp_path, clone(), **settings) as started:
        yield started


def set_up(receiver, **changed):
    tell(receiver, changed)
    assert hear(receiver) == {"heard": True}


def came(receiver):
    """What the receiver says of the next message."""
    said = hear(receiver)
    assert said["status"] == 401 or "event" in said
    return said


def revise(provider, dataset_id, title):
    tag = provider.call("GET", f"/v1/datasets/{dataset_id}").headers["ETag"]
    provider.call("PATCH", f"/v1/datasets/{dataset_id}", json={"title_en": title}, headers={"If-Match": tag})


def test_messages_are_taken_by_foreign_verifiers_through_retries_rotations_and_duplicates(exchange, receiver, tmp_path):
    parties = exchange.assemble()
    buyer, provider = parties["buyer"], parties["provider"]
    hook = buyer.post("/v1/webhooks", {"url": f"https://{HOST}/in", "events": ["listing.published", "listing.changed"]})
    at = f"/v1/webhooks/{hook['id']}"
    set_up(receiver, secret=hook["secret"], statuses=[500])
    file = tmp_path / "人流.csv"
    file.write_text("地点,人数\n大通,120\n")
    dataset_id = live.publish(provider, [file], TITLES)["dataset_id"]
    # It was dealt with and not acknowledged: it comes again, and its id tells that it is the same.
    first, again = came(receiver), came(receiver)
    assert first["event"]["data"]["dataset_id"] == dataset_id
    assert (first["status"], first["is_fresh"], again["status"], again["is_fresh"]) == (500, True, 204, False)
    assert (again["id"], again["event"]) == (first["id"], first["event"])

    def state_of(event_id):
        return next(one for one in buyer.get(f"{at}/messages")["items"] if one["id"] == event_id)

    done = live.wait_until(
        "the message to be taken", lambda: state_of(first["id"])["state"] == "delivered" and state_of(first["id"])
    )
    assert (done["attempts"], done["last_status"]) == (2, 204)
    # A rotation leaves no gap: who knows the old secret alone, and who knows the new one, both verify.
    second = buyer.post(f"{at}/rotate")["secret"]
    revise(provider, dataset_id, "Footfall, told under the old secret")
    assert came(receiver)["event"]["data"]["changed"] == ["title_en"]
    set_up(receiver, secret=second)
    revise(provider, dataset_id, "Footfall, told under the new secret")
    assert came(receiver)["event"]["data"]["title_en"] == "Footfall, told under the new secret"
    # Two rotations on, the first secret is over; what was refused comes again once the receiver has caught up.
    buyer.post(f"{at}/rotate")
    set_up(receiver, secret=hook["secret"], after_refusal=second)
    revise(provider, dataset_id, "Footfall, refused once")
    refused = came(receiver)
    assert (refused["status"], refused["refused"] != "") == (401, True)
    caught_up = came(receiver)
    assert (caught_up["id"], caught_up["status"], caught_up["is_fresh"]) == (refused["id"], 204, True)
    # Sent again by hand it is the same message, byte for byte.
    live.wait_until("it to be taken", lambda: state_of(refused["id"])["state"] == "delivered")
    buyer.post(f"{at}/messages/{refused['id']}/resend")
    by_hand = came(receiver)
    assert (by_hand["id"], by_hand["event"], by_hand["is_fresh"]) == (caught_up["id"], caught_up["event"], False)


def test_a_receiver_whose_certificate_nobody_vouches_for_gets_nothing(receiver, tmp_path, clone, exchange):
    exchange.stop()
    del exchange.settings["ssl_cert_file"]
    exchange.start()
    buyer = exchange.assemble()["buyer"]
    hook = buyer.post("/v1/webhooks", {"url": f"https://{HOST}/in", "events": ["listing.published"]})
    buyer.post(f"/v1/webhooks/{hook['id']}/test")
    at = f"/v1/webhooks/{hook['id']}/messages"
    tried = live.wait_until(
        "an attempt", lambda: [one for one in buyer.get(at)["items"] if one["attempts"] and one["last_trouble"]]
    )
    assert (tried[0]["state"], tried[0]["last_status"]) == ("waiting", None)
    set_up(receiver, statuses=[])  # the next that is heard is this, and no message
