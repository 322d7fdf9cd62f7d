"""The caller of a deed."""

from dataclasses import dataclass, field
from datetime import datetime

from marketplace.identity.deeds import Permission
from marketplace.identity.states import Assurance, Capacity, MemberRole, Trust


@dataclass(frozen=True, slots=True)
class Actor:
    """An organization acting through a client or a member, its own or its delegate's, with what it may ask for.

    ``capacities`` is empty until the organization is verified. ``role``, ``assurance`` and ``authenticated_at``
    are there when a person acts. ``grant_ids`` is there when the token was narrowed to these grants (RFC 9396).
    ``trust`` is the organization's; ``keyed`` means that the client proved itself by a key (RFC 7523).
    ``delegate_id`` is there when another organization acts in its name, which may do what is ``delegated`` and no more.
    ``token_id`` and ``family_id`` name the access token and the consent that it came of, where there is one.
    """

    organization_id: str
    client_id: str | None = None
    member_id: str | None = None
    scopes: frozenset[str] = field(default_factory=frozenset)
    capacities: frozenset[Capacity] = field(default_factory=frozenset)
    role: MemberRole | None = None
    assurance: Assurance | None = None
    authenticated_at: datetime | None = None
    grant_ids: frozenset[str] | None = None
    trust: Trust = Trust.APPLIED
    keyed: bool = False
    delegate_id: str | None = None
    delegated: frozenset[Permission] | None = None
    token_id: str | None = None
    family_id: str | None = None

    @property
    def oversees(self) -> bool:
        """Whether the caller may see the trades of others."""
        return bool(self.capacities & {Capacity.OPERATOR, Capacity.AUDITOR})


SYSTEM = Actor(organization_id="system")


def on_behalf_of(organization_id: str) -> Actor:
    """Return the exchange doing for an organization what its order or payment asks for: no client acts.

    The deed then stands in the record under both parties, where an auditor looks for it.
    """
    return Actor(organization_id)
