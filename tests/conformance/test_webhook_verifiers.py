"""The verifiers that Standard Webhooks publish, in Python and for JavaScript, take what we send and nothing else."""

from pathlib import Path

import pytest

from marketplace.kit import jobs
from tests.api.trade import market_of, ok
from tests.conformance import environments
from tests.receivers import receiving

HERE = Path(__file__).parent


@pytest.fixture
def receiver(monkeypatch):
    with receiving(monkeypatch) as made:
        yield made


@pytest.fixture
def market(app):
    return market_of(app)


@pytest.fixture(params=["python", "javascript"])
def verify(request):
    """The verifier in one of the languages."""
    if request.param == "python":
        python, script = environments.installed(HERE / "hooks"), HERE / "hooks" / "verify.py"
        return lambda secret, body, headers: environments.ask(python, script, secret=secret, body=body, headers=headers)
    scripts = request.getfixturevalue("scripts")

    def in_javascript(secret, body, headers):
        asked = {"journey": "verify", "secret": secret, "body": body, "headers": headers}
        told = scripts.run("standardwebhooks.mjs", **asked)
        return {"done": told["verified"]} if "verified" in told else {"raised": told["refused"]}

    return in_javascript


def test_foreign_verifiers_take_what_was_sent_and_refuse_what_was_changed(market, receiver, verify):
    asked = {"url": "https://hooks.example.jp/", "events": ["listing.published"]}
    endpoint = ok(market.buyer.post("/v1/webhooks", asked), 201)
    rotated = ok(market.buyer.post(f"/v1/webhooks/{endpoint['id']}/rotate"))
    goods = market.goods()
    jobs.run_pending("webhooks.deliver")
    [(headers, raw)] = receiver.came
    body = raw.decode()
    # Both secrets verify, since it was rotated a moment ago.
    for secret in (endpoint["secret"], rotated["secret"]):
        told = verify(secret, body, headers)
        assert told["done"]["data"]["dataset_id"] == goods.dataset_id
    assert "raised" in verify(rotated["secret"], body.replace("Footfall", "Football"), headers)
    assert "raised" in verify(rotated["secret"], body, headers | {"webhook-id": "evt_other"})
    assert "raised" in verify(rotated["secret"], body, headers | {"webhook-timestamp": "1700000000"})
    assert "raised" in verify("whsec_" + "QUJD" * 11, body, headers)
