"""The wire between gateway and exchange at its worst: each event comes one to five times, in any order, or never."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from marketplace.exchange import payment
from marketplace.kit import clock
from marketplace.sandbox import config as sandbox
from marketplace.sandbox import delivery

COPIES_MAX = 5
LOST_IN = 40
LATE_IN = 4
"""One event in so many never arrives, and one copy in so many only at the next occasion."""


@dataclass
class Network:
    """What is on its way to the exchange, and how much has arrived."""

    app: Any
    chance: Random
    late: list[bytes] = field(default_factory=list)
    events: int = 0
    lost: int = 0
    posted: int = 0

    def carry(self) -> None:
        """Take what the gateway sends by now, and post it shuffled, with whatever was late before."""
        taken: list[bytes] = []
        mounted = sandbox.find()
        if mounted is None:
            raise LookupError("the simulation plays on the sandbox alone")
        delivery.deliver_due(mounted, post=lambda body, _signature: _keep(taken, body))
        self.events += len(taken)
        arriving = self.late + [copy for body in taken for copy in self._copies(body)]
        self.late = []
        self.chance.shuffle(arriving)
        for body in arriving:
            if self.chance.randrange(LATE_IN) == 0:
                self.late.append(body)
            else:
                self._post(body, delivery.signature(body, mounted.webhook_secret, clock.now()))
        payment.work_inbox()

    def _copies(self, body: bytes) -> list[bytes]:
        if self.chance.randrange(LOST_IN) == 0:
            self.lost += 1
            return []
        return [body] * self.chance.randint(1, COPIES_MAX)

    def _post(self, body: bytes, signature: str) -> None:
        answer = self.app.test_client().post(
            "/webhooks/stripe", data=body, headers={"Stripe-Signature": signature}, content_type="application/json"
        )
        if answer.status_code != 200:
            raise RuntimeError(f"a webhook was answered with {answer.status_code}: {answer.text[:500]}")
        self.posted += 1
        # Some are worked on before the next has come.
        if self.chance.randrange(3) == 0:
            payment.work_inbox()


def _keep(taken: list[bytes], body: bytes) -> int:
    taken.append(body)
    return 200
