"""The store, the search index and the payment gateway that the stories use; installed by the composition root."""

from dataclasses import dataclass

from marketplace.billing.gateways.stripe import StripeGateway
from marketplace.catalog.search import SearchIndex
from marketplace.delivery.stores import Store
from marketplace.delivery.stores.parts import Parts
from marketplace.delivery.stores.presigned import Links
from marketplace.kit.settings import Settings


@dataclass(frozen=True, slots=True)
class Facilities:
    """What lies outside the database, of one installation."""

    settings: Settings
    store: Store
    links: Links | None
    parts: Parts
    index: SearchIndex
    gateway: StripeGateway


_installed: Facilities | None = None


def install(facilities: Facilities) -> None:
    """Make these the facilities of this process."""
    global _installed  # noqa: PLW0603 - set once, at the composition root
    _installed = facilities


def current() -> Facilities:
    """Return the facilities of this process; RuntimeError before the composition root ran."""
    if _installed is None:
        raise RuntimeError("facilities are not installed: start through marketplace.app")
    return _installed
