"""Which keys may be used for tests against Stripe."""

from collections.abc import Mapping

from marketplace.kit.settings import SANDBOX_KEY


class NoTestKey(Exception):
    """The key in STRIPE_API_KEY is none of Stripe's test mode; nothing was sent with it."""


def require_test_key(environment: Mapping[str, str]) -> str:
    """Return the user's own test key; raises NoTestKey for any other, so that no live account is ever touched."""
    key = environment.get("STRIPE_API_KEY", "")
    if not key.startswith("sk_test_") or key == SANDBOX_KEY or len(key) < 20:
        raise NoTestKey("STRIPE_API_KEY must be a secret key of Stripe's test mode: sk_test_…")
    return key
