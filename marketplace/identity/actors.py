"""The caller of a deed."""

from dataclasses import dataclass, field

from marketplace.identity.states import Capacity


@dataclass(frozen=True, slots=True)
class Actor:
    """An organization acting through a client or a member, with what it may ask for.

    ``capacities`` is empty until the organization is verified.
    """

    organization_id: str
    client_id: str | None = None
    member_id: str | None = None
    scopes: frozenset[str] = field(default_factory=frozenset)
    capacities: frozenset[Capacity] = field(default_factory=frozenset)

    @property
    def oversees(self) -> bool:
        """Whether the caller may see the trades of others."""
        return bool(self.capacities & {Capacity.OPERATOR, Capacity.AUDITOR})


SYSTEM = Actor(organization_id="system")
