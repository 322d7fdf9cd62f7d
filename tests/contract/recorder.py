"""What the SDK sends and gets, caught below the gateway and above its transport, and held against the contract."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus, urlsplit

import pytest
import stripe

from tests.contract import answers, openapi, typeddicts

TESTS = Path(__file__).parents[1]
# Stripe removed payment_method_types; a delayed capture is asked of cards only and takes others at once.
NEVER_SENT = ("payment_method_types", "capture_method")


@dataclass(frozen=True)
class Exchange:
    """One request and its answer; status None when none came; ``played`` by a whole server, not by a test's stand-in."""

    method: str
    url: str
    body: str | None
    status: int | None = None
    answer: str = ""
    played: bool = False

    def request_errors(self) -> list[str]:
        """Return what Stripe, its SDK's types and the house have against the request."""
        sent = (self.method, self.url, self.body)
        return openapi.request_errors(*sent) + typeddicts.request_errors(*sent) + self._forbidden()

    def answer_errors(self) -> list[str]:
        """Return what Stripe's schemas and the SDK's classes have against the answer."""
        if self.status is None:
            return []
        path = urlsplit(self.url).path
        return answers.exchange_errors(self.method, path[path.index("/v1/") :], self.status, json.loads(self.answer))

    def _forbidden(self) -> list[str]:
        plain = unquote_plus(f"{urlsplit(self.url).query}&{self.body or ''}")
        names = {part.partition("=")[0].rpartition("[")[2].strip("]") or part for part in plain.split("&")}
        names |= {part.partition("[")[0] for part in plain.split("&")}
        return [f"the house never sends {name}" for name in NEVER_SENT if name in names]


@contextmanager
def recording() -> Iterator[list[Exchange]]:
    """Catch every request of the SDK in this process, whatever carries it."""
    caught: list[Exchange] = []
    plain = stripe.HTTPClient.request_with_retries

    def request(
        client: Any, method: str, url: str, headers: Any, post_data: Any = None, *rest: Any, **named: Any
    ) -> Any:
        body = post_data.decode() if isinstance(post_data, bytes) else post_data
        try:
            answer, status, fields = plain(client, method, url, headers, post_data, *rest, **named)
        except BaseException:
            caught.append(Exchange(method, url, body))
            raise
        caught.append(Exchange(method, url, body, status, answer, "Stripe-Version" in fields))
        return answer, status, fields

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stripe.HTTPClient, "request_with_retries", request)
        yield caught


def refused(caught: list[Exchange]) -> list[str]:
    """Return what is wrong with requests, and with the sandbox's answers to them."""
    wrong = []
    for one in caught:
        against = one.request_errors() + (one.answer_errors() if one.played else [])
        wrong += [f"{one.method.upper()} {one.url}: {error}" for error in against]
    return wrong


@pytest.fixture(autouse=True)
def stripe_contract(request: pytest.FixtureRequest) -> Iterator[list[Exchange]]:
    """Hold every request that a test makes our code send against Stripe's contract, and every answer of the sandbox.

    Tests below tests/sandbox and tests/contract send wrong requests on purpose and are left alone.
    """
    if request.path.relative_to(TESTS).parts[0] in {"sandbox", "contract"}:
        yield []
        return
    with recording() as caught:
        yield caught
    assert refused(caught) == []
