"""Workers that are told to end: what they have at hand is finished, or another worker takes it over; once in any case."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from flask import Flask

from tests.faults.gate import Gate, gate
from tests.faults.started import Live
from tests.faults.world import assert_sold_once
from tests.live import ROOT, WAIT_SECONDS, environment


@pytest.fixture
def behind_gate(own_database: Flask, start_live: Callable[..., Live]) -> Iterator[Gate]:
    """A real server that does no jobs, and whose payment gateway can be made to hold its answers."""
    with gate(own_database) as held:
        held.live = start_live(
            stripe_api_key="sk_test_sandbox",
            stripe_api_base=f"{held.url}/sandbox",
            stripe_webhook_secrets=held.secret,
            stripe_max_retries=0,
            marketplace_run_worker="false",
        )
        yield held


@contextmanager
def worker(live: Live, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `marketplace worker` for an exchange, and see that it has ended."""
    with (live.exchange.folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "marketplace", "worker"],
            env=environment(**live.exchange.given),
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            assert process.wait(WAIT_SECONDS) == 0


def sold(held: Gate) -> str:
    """An order that is paid, of which a worker will ask the gateway and get no answer; returns its id."""
    placed = held.live.place(held.live.world.offer()).json()
    held.pay(placed["checkout_url"])
    held.hold("GET", "/v1/checkout/sessions/", "asked")
    assert set(held.deliver_events()) == {200}
    return str(placed["id"])


def test_a_worker_that_is_told_to_end_finishes_the_job_at_hand(behind_gate: Gate) -> None:
    live, order_id = behind_gate.live, sold(behind_gate)
    with worker(live, "leaving") as leaving:
        behind_gate.wait_held()
        leaving.send_signal(signal.SIGTERM)
        behind_gate.let_go()
        assert leaving.wait(WAIT_SECONDS) == 0
    assert_sold_once(order_id)


def test_a_job_that_a_leaving_worker_does_not_finish_in_time_is_done_by_another(behind_gate: Gate) -> None:
    live, order_id = behind_gate.live, sold(behind_gate)
    with worker(live, "leaving") as leaving:
        behind_gate.wait_held()
        leaving.send_signal(signal.SIGTERM)
        with worker(live, "staying"):
            live.wait_fulfilled(order_id)
            behind_gate.let_go()
            assert leaving.wait(WAIT_SECONDS) == 0
            live.wait_idle()
    assert_sold_once(order_id)
