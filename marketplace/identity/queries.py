"""Reading organizations, members and API clients."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.orm import InstrumentedAttribute

from marketplace.identity import rules
from marketplace.identity.actors import Actor
from marketplace.identity.models import ApiClient, InvoiceRegistration, Member, Organization
from marketplace.identity.states import AuthenticationMethod, Capacity, ClientState, MemberRole, OrganizationState
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.pages import SIZE_DEFAULT, Page, cut, decode_cursor
from marketplace.kit.texts import storable
from marketplace.kit.transaction import keep

COMMAND_LINE_NAME = "Musubi CLI"
Row = TypeVar("Row", Organization, Member, ApiClient)


def find_organization(organization_id: str) -> Organization | None:
    """Return the organization, or None."""
    return keep(db.session.get(Organization, storable(organization_id)))


def find_organizations(organization_ids: Iterable[str]) -> dict[str, Organization]:
    """Return those of these organizations that there are, by id."""
    wanted = [storable(organization_id) for organization_id in organization_ids]
    found = db.session.scalars(select(Organization).where(Organization.id.in_(wanted)))
    return {organization.id: organization for organization in found}


def get_organization(organization_id: str) -> Organization:
    """Return the organization or raise NotFound."""
    return _present(find_organization(organization_id))


def get_visible_organization(actor: Actor, organization_id: str) -> Organization:
    """Return the caller's own organization, or any for an overseer; NotFound for all others.

    What nobody's letter box has confirmed is nobody's business but the applicant's.
    """
    if actor.organization_id != organization_id and not actor.oversees:
        raise NotFound
    organization = get_organization(organization_id)
    if organization.id != actor.organization_id and organization.state == OrganizationState.UNCHECKED.value:
        raise NotFound
    return organization


def lock_visible_organization(actor: Actor, organization_id: str) -> Organization:
    """Return what the caller may see, in the state that it keeps until the transaction ends; raises NotFound."""
    seen = get_visible_organization(actor, organization_id)
    held = select(Organization).where(Organization.id == seen.id).with_for_update(key_share=True)
    return db.session.scalars(held, execution_options={"populate_existing": True}).one()


def list_organizations(
    *,
    state: OrganizationState | None = None,
    capacity: Capacity | None = None,
    cursor: str | None = None,
    size: int = SIZE_DEFAULT,
) -> Page[Organization]:
    """Return organizations, newest first, without applications whose e-mail address is unchecked."""
    statement = select(Organization).where(Organization.state != OrganizationState.UNCHECKED.value)
    if state is not None:
        statement = statement.where(Organization.state == state.value)
    if capacity is not None:
        statement = statement.where(Organization.capacities.contains([capacity.value]))
    return _page(statement, Organization.id, cursor, size)


def count_applications() -> int:
    """Return how many organizations wait to be judged, or for their e-mail address to be checked."""
    waiting = Organization.state.in_([OrganizationState.UNCHECKED.value, OrganizationState.APPLIED.value])
    return db.session.scalar(select(func.count()).select_from(Organization).where(waiting)) or 0


def find_operator() -> Organization | None:
    """Return the body that runs the exchange, the operator founded first, or None where there is none yet."""
    operators = select(Organization).where(
        Organization.capacities.contains([Capacity.OPERATOR.value]),
        Organization.state == OrganizationState.VERIFIED.value,
    )
    return db.session.scalar(operators.order_by(Organization.id).limit(1))


def operator_organization() -> Organization:
    """Return the body that runs the exchange; raises NotFound where there is none yet."""
    return _present(find_operator())


def registration_on(organization_id: str, day: date) -> str | None:
    """Return the invoice registration number (登録番号) that is valid on the day, or None.

    Until an operator has recorded a history, the number that the organization declared counts as valid
    since 2023-10-01, when such numbers came into force. Raises NotFound.
    """
    history = list_registrations(organization_id)
    if history:
        return next((row.number for row in history if rules.is_within(day, row.valid_from, row.valid_to)), None)
    declared = get_organization(organization_id).invoice_registration_number
    return declared if day >= rules.QUALIFIED_SINCE else None


def list_registrations(organization_id: str) -> Sequence[InvoiceRegistration]:
    """Return all that is recorded of an organization's invoice registration, oldest first."""
    query = select(InvoiceRegistration).where(InvoiceRegistration.organization_id == organization_id)
    return db.session.scalars(query.order_by(InvoiceRegistration.valid_from)).all()


def find_client(client_id: str) -> ApiClient | None:
    """Return the API client, or None."""
    return db.session.scalar(select(ApiClient).where(ApiClient.id == storable(client_id)))


def get_client(client_id: str) -> ApiClient:
    """Return the API client or raise NotFound."""
    return _present(find_client(client_id))


def get_own_client(actor: Actor, client_id: str) -> ApiClient:
    """Return a client of the caller's organization; NotFound for all others."""
    client = get_client(client_id)
    if client.organization_id != actor.organization_id:
        raise NotFound
    return client


def find_command_line_client() -> ApiClient | None:
    """Return the client that the command line is at this exchange, an operator's, or None where there is none."""
    active = _command_line_clients().where(ApiClient.state == ClientState.ACTIVE.value)
    return db.session.scalar(active.order_by(ApiClient.id).limit(1))


def had_command_line_client() -> bool:
    """Tell whether the operators have, or had, a client of the command line."""
    return db.session.scalar(_command_line_clients().limit(1)) is not None


def _command_line_clients() -> Select[ApiClient]:
    of_operators = (
        Organization.capacities.contains([Capacity.OPERATOR.value]),
        Organization.state == OrganizationState.VERIFIED.value,
        ApiClient.authentication_method == AuthenticationMethod.NONE.value,
        ApiClient.name == COMMAND_LINE_NAME,
    )
    joined = select(ApiClient).join(Organization, Organization.id == ApiClient.organization_id)
    return joined.where(*of_operators)


def list_clients(organization_id: str, *, cursor: str | None = None, size: int = SIZE_DEFAULT) -> Page[ApiClient]:
    """Return the API clients of an organization, newest first."""
    statement = select(ApiClient).where(ApiClient.organization_id == organization_id)
    return _page(statement, ApiClient.id, cursor, size)


def list_members(organization_id: str, *, cursor: str | None = None, size: int = SIZE_DEFAULT) -> Page[Member]:
    """Return the members of an organization, newest first."""
    statement = select(Member).where(Member.organization_id == organization_id)
    return _page(statement, Member.id, cursor, size)


def get_member(organization_id: str, member_id: str) -> Member:
    """Return a member of an organization or raise NotFound."""
    own = (Member.organization_id == organization_id, Member.id == storable(member_id))
    return _present(db.session.scalar(select(Member).where(*own)))


def list_addresses(organization_id: str, member_roles: Iterable[MemberRole]) -> Sequence[str]:
    """Return the e-mail addresses of an organization's members in these roles."""
    chosen = (Member.organization_id == organization_id, Member.role.in_([role.value for role in member_roles]))
    addresses = select(Member.email).where(*chosen, Member.email.is_not(None)).order_by(Member.id)
    return [str(address) for address in db.session.scalars(addresses)]


def list_members_in(organization_id: str, member_roles: Iterable[MemberRole]) -> Sequence[Member]:
    """Return an organization's members in these roles who have an e-mail address, by id."""
    chosen = (Member.organization_id == organization_id, Member.role.in_([role.value for role in member_roles]))
    return db.session.scalars(select(Member).where(*chosen, Member.email.is_not(None)).order_by(Member.id)).all()


def list_memberships(person_id: str) -> Sequence[tuple[Member, Organization]]:
    """Return for whom a person may act, each with its organization, in the order in which they joined."""
    joined = select(Member, Organization).join(Organization, Organization.id == Member.organization_id)
    rows = db.session.execute(joined.where(Member.person_id == person_id).order_by(Member.id))
    return [(member, organization) for member, organization in rows]


def _page(statement: Select[Row], key: InstrumentedAttribute[str], cursor: str | None, size: int) -> Page[Row]:
    after = decode_cursor(cursor, 1)
    if after:
        statement = statement.where(key < str(after[0]))
    rows = db.session.scalars(statement.order_by(key.desc()).limit(size + 1)).all()
    return cut(rows, size, lambda row: [row.id])


def _present(row: Row | None) -> Row:
    if row is None:
        raise NotFound
    return row
