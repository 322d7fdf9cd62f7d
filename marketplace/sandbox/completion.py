"""How a Checkout Session completes: paid at once, unpaid first and paid later, or never paid."""

from marketplace.sandbox import payments, store
from marketplace.sandbox.events import Recorder
from marketplace.sandbox.models import SandboxObject


def paid_now(session: SandboxObject, story: Recorder) -> None:
    """Complete an open session whose money was taken."""
    _complete(session, "paid", story)


def unpaid(session: SandboxObject, story: Recorder) -> None:
    """Complete an open session whose money is yet to come."""
    _complete(session, "unpaid", story)


def paid_later(session: SandboxObject, story: Recorder) -> None:
    """Note that the money of a completed session came."""
    store.change(session, payment_status="paid")
    story.record("checkout.session.async_payment_succeeded", session.document)


def failed_later(session: SandboxObject, story: Recorder) -> None:
    """Note that the money of a completed session never came."""
    story.record("checkout.session.async_payment_failed", session.document)


def _complete(session: SandboxObject, payment_status: str, story: Recorder) -> None:
    details = payments.customer_details(session.details["email"])
    completed = store.change(
        session, status="complete", payment_status=payment_status, customer_details=details, url=None
    )
    story.record("checkout.session.completed", completed)
