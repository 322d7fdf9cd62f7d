"""Reading applications as the operator looks at them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from marketplace.identity.joining.models import Application, ApplicationReview, RegistryFinding
from marketplace.identity.models import Organization
from marketplace.identity.states import OrganizationState
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.pages import SIZE_DEFAULT, Page, cut, decode_cursor
from marketplace.kit.texts import storable


@dataclass(frozen=True, slots=True)
class Shown:
    """An application with its organization, what the registers said, and how many have said yes."""

    organization: Organization
    application: Application
    findings: Sequence[RegistryFinding]
    approvals: int


def list_waiting(*, cursor: str | None = None, size: int = SIZE_DEFAULT) -> Page[Shown]:
    """Return the applications that wait for the operator, newest first; none whose e-mail address is unchecked."""
    statement = (
        select(Organization, Application)
        .join(Application, Application.organization_id == Organization.id)
        .where(Application.decided_at.is_(None), Organization.state == OrganizationState.APPLIED.value)
    )
    after = decode_cursor(cursor, 1)
    if after:
        statement = statement.where(Organization.id < storable(str(after[0])))
    rows = db.session.execute(statement.order_by(Organization.id.desc()).limit(size + 1)).all()
    page = cut([(row.Organization, row.Application) for row in rows], size, lambda row: [row[0].id])
    return Page([_shown(*row) for row in page.items], page.next_cursor)


def get_waiting(organization_id: str) -> Shown:
    """Return an application that came before the operator, decided or not; raises NotFound."""
    row = db.session.execute(
        select(Organization, Application)
        .join(Application, Application.organization_id == Organization.id)
        .where(Organization.id == storable(organization_id), Application.checked_at.is_not(None))
    ).first()
    if row is None:
        raise NotFound
    return _shown(row.Organization, row.Application)


def count_reviews(organization_id: str) -> int:
    """Return how many different reviewers have said yes."""
    own = (
        select(func.count()).select_from(ApplicationReview).where(ApplicationReview.organization_id == organization_id)
    )
    return db.session.scalar(own) or 0


def list_findings(organization_id: str) -> Sequence[RegistryFinding]:
    """Return what the registers said last, in the order of their names."""
    own = select(RegistryFinding).where(RegistryFinding.organization_id == organization_id)
    return db.session.scalars(
        own.order_by(RegistryFinding.register), execution_options={"populate_existing": True}
    ).all()


def _shown(organization: Organization, application: Application) -> Shown:
    findings, approvals = list_findings(organization.id), count_reviews(organization.id)
    return Shown(organization, application, findings, approvals)
