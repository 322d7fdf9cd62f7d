"""Hearing: which organizations may hear of a listing, everybody or those of a private group."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marketplace.catalog.groups import queries as groups


@dataclass(frozen=True, slots=True)
class Hearers:
    """The organizations of ``among``, None being everybody, less those of ``without``.

    ``audience`` is the group by which they hear: who leaves it hears nothing more that only it may know.
    """

    among: frozenset[str] | None
    without: frozenset[str] = frozenset()
    audience: str | None = None

    def and_of(self, other: "Hearers") -> "Hearers":
        """Return those who belong to both; neither side is a remainder."""
        if self.among is None or other.among is None:
            return other if self.among is None else self
        return Hearers(self.among & other.among, audience=other.audience)

    def but(self, other: "Hearers") -> "Hearers":
        """Return those who do not belong to the other; neither side is a remainder."""
        if other.among is None:
            return NOBODY
        if self.among is None:
            return Hearers(None, without=other.among)
        return Hearers(self.among - other.among, audience=self.audience)


NOBODY = Hearers(frozenset())
EVERYBODY = Hearers(None)


def of(document: Mapping[str, Any] | None) -> Hearers:
    """Return who may see a document; whoever leaves its group meanwhile waits until the transaction ends."""
    if document is None:
        return NOBODY
    audience = document.get("audience")
    return EVERYBODY if audience is None else Hearers(groups.hold_organizations(audience), audience=audience)
