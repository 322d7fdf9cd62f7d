"""Who stands behind what was issued earlier: a client, a member, or both, as they are at this moment."""

from sqlalchemy import bindparam, select

from marketplace.identity.actors import Actor
from marketplace.identity.models import ApiClient, Member, Organization, Person
from marketplace.identity.permissions import scopes_for, scopes_of
from marketplace.identity.states import (
    Assurance,
    AuthenticationMethod,
    Capacity,
    ClientState,
    MemberRole,
    OrganizationState,
    PersonState,
    Trust,
)
from marketplace.kit.db import db

_STANDING = (
    select(
        Organization.capacities,
        Organization.trust,
        ApiClient.scopes,
        ApiClient.authentication_method,
        Member.role,
        Person.state.label("person_state"),
    )
    .select_from(ApiClient)
    .join(Organization, Organization.id == bindparam("organization_id"))
    .outerjoin(Member, (Member.id == bindparam("member_id")) & (Member.organization_id == Organization.id))
    .outerjoin(Person, Person.id == Member.person_id)
    .where(
        ApiClient.id == bindparam("client_id"),
        ApiClient.state == ClientState.ACTIVE.value,
        Organization.state == OrganizationState.VERIFIED.value,
    )
)
_IN_PERSON = (
    select(Organization.capacities, Organization.trust, Member.role)
    .select_from(Member)
    .join(Organization, Organization.id == Member.organization_id)
    .join(Person, Person.id == Member.person_id)
    .where(
        Member.id == bindparam("member_id"),
        Organization.id == bindparam("organization_id"),
        Organization.state == OrganizationState.VERIFIED.value,
        Person.state == PersonState.ACTIVE.value,
    )
)


def find_holder(
    organization_id: str, client_id: str | None, member_id: str | None, assurance: str | None
) -> Actor | None:
    """Return the organization acting through its client, with the scopes and capacities that both have now.

    Without a client it is the member who acts in person, with a browser. None where the organization or the client is
    shut out, and where the member is gone or may not sign in.
    """
    if client_id is None:
        return _in_person(organization_id, member_id, assurance)
    named = {"organization_id": organization_id, "client_id": client_id, "member_id": member_id}
    row = db.session.execute(_STANDING, named).one_or_none()
    if row is None or (member_id is not None and row.person_state != PersonState.ACTIVE):
        return None
    return Actor(
        organization_id=organization_id,
        client_id=client_id,
        member_id=member_id,
        scopes=frozenset(row.scopes),
        capacities=frozenset(map(Capacity, row.capacities)),
        role=MemberRole(row.role) if row.role is not None else None,
        assurance=Assurance(assurance) if assurance is not None else None,
        trust=Trust(row.trust),
        keyed=row.authentication_method == AuthenticationMethod.PRIVATE_KEY_JWT.value,
    )


def _in_person(organization_id: str, member_id: str | None, assurance: str | None) -> Actor | None:
    named = {"organization_id": organization_id, "member_id": member_id}
    row = db.session.execute(_IN_PERSON, named).one_or_none()
    if row is None:
        return None
    capacities, role = frozenset(map(Capacity, row.capacities)), MemberRole(row.role)
    return Actor(
        organization_id=organization_id,
        member_id=member_id,
        scopes=scopes_for(capacities) & scopes_of(role),
        capacities=capacities,
        role=role,
        assurance=Assurance(assurance) if assurance is not None else None,
        trust=Trust(row.trust),
    )
