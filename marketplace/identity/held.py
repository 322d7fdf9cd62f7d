"""Whose rows a legal hold keeps, where a row names a client, a person or an address instead of an organization."""

from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from marketplace.audit import holds
from marketplace.identity.models import ApiClient, Member, Person, TokenFamily


def of_client(column: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """Return the condition that a column names a client of an organization under hold; never NULL."""
    return and_(column.is_not(None), column.in_(select(ApiClient.id).where(_covered(ApiClient))))


def of_caller(column: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """Return the condition that a column names a caller of an organization under hold, or one that acted for it.

    A caller is a client or an organization, with the organization for which a member or a delegate acts after it.
    """
    who, for_whom = (func.split_part(column, " ", part) for part in (1, 2))
    own = who.in_(select(ApiClient.id).where(_covered(ApiClient)))
    return or_(func.coalesce(own, false()), holds.covering(who, for_whom))


def of_token(client: InstrumentedAttribute[str], family: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
    """Return the condition that a token is of a client, or came of a consent, of an organization under hold."""
    consents = select(TokenFamily.id).where(holds.covering(TokenFamily.organization_id))
    return or_(of_client(client), and_(family.is_not(None), family.in_(consents)))


def of_person(column: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
    """Return the condition that a column names a person who is a member of an organization under hold; never NULL."""
    members = select(Member.person_id).where(Member.person_id.is_not(None), _covered(Member))
    return and_(column.is_not(None), column.in_(members))


def of_address(column: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """Return the condition that a column is the address of a member of an organization under hold; never NULL."""
    of_member = select(func.lower(Member.email)).where(Member.email.is_not(None), _covered(Member))
    own = select(func.lower(Person.email)).join(Member, Member.person_id == Person.id).where(_covered(Member))
    return and_(column.is_not(None), or_(func.lower(column).in_(of_member), func.lower(column).in_(own)))


def _covered(whose: type[ApiClient | Member]) -> ColumnElement[bool]:
    return holds.covering(whose.organization_id)
