"""Approving: the operator's yes to an application, by one person or two as its risk asks, and further trust."""

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.identity import queries as identity
from marketplace.identity import rules
from marketplace.identity import service as organizations
from marketplace.identity.actors import Actor
from marketplace.identity.errors import OrganizationMoveRefused
from marketplace.identity.joining import letters, queries
from marketplace.identity.joining.errors import ApplicationNotAssessed, ApprovalReasonMissing, SecondReviewerNeeded
from marketplace.identity.joining.models import Application, ApplicationReview
from marketplace.identity.joining.states import Risk
from marketplace.identity.login import invitations
from marketplace.identity.models import Member, Organization
from marketplace.identity.states import OrganizationState, Trust
from marketplace.kit import clock, mail, settings
from marketplace.kit.canonical import sha256_hex
from marketplace.kit.db import db
from marketplace.kit.texts import storable

EYES = 2
"""So many different people approve an application of high risk."""


def approve(actor: Actor, organization_id: str, reason: str | None = None) -> Organization:
    """Say yes to an application; returns the organization, verified once as many have said yes as its risk asks.

    Low and middle: one. High: a reason, and two different people; a program of the operator's, which stands for a
    procedure of its own, needs the reason alone. Whoever was judged before, or was founded on the machine, is verified
    at once, which lifts a suspension. Raises NotFound, OrganizationMoveRefused, ApplicationNotAssessed,
    ApprovalReasonMissing, SecondReviewerNeeded or Invalid.
    """
    # The organization first, as confirming and lapsing do.
    organization = identity.lock_visible_organization(actor, organization_id)
    application = _held(organization.id)
    if application is None or application.decided_at is not None:
        return organizations.verify_organization(actor, organization.id)
    if application.risk is None:
        raise ApplicationNotAssessed
    stated = rules.checked_text("reason", reason, rules.REASON_LENGTH_MAX) if reason else None
    _review(actor, application, stated)
    if not _suffices(actor, application):
        _record_review(actor, application, stated)
        return organization
    return _admit(actor, application, stated)


def trust(actor: Actor, organization_id: str, given: Trust) -> Organization:
    """Set how far a verified organization is trusted; the next request goes by it.

    Raises NotFound, or OrganizationMoveRefused for one that is not verified, or is to be no more than an applicant.
    """
    organization = identity.get_visible_organization(actor, organization_id)
    verified = (Organization.id == organization.id, Organization.state == OrganizationState.VERIFIED.value)
    trusted = update(Organization).where(*verified).values(trust=given.value).returning(Organization.id)
    if given is Trust.APPLIED or db.session.execute(trusted).first() is None:
        raise OrganizationMoveRefused(f"The organization cannot be {given.value}.", state=organization.state)
    facts = {"trust": given.value}
    audit.record(actor, Verb.ORGANIZATION_TRUSTED, subject=organization.id, counterparty=organization.id, facts=facts)
    return db.session.get_one(Organization, organization.id, populate_existing=True)


def _held(organization_id: str) -> Application | None:
    # Two who approve at once stand in line here, so that the second finds what the first has said.
    held = select(Application).where(Application.organization_id == storable(organization_id)).with_for_update()
    return db.session.scalar(held, execution_options={"populate_existing": True})


def _review(actor: Actor, application: Application, reason: str | None) -> None:
    if application.risk == Risk.HIGH and reason is None:
        raise ApprovalReasonMissing(errors=[{"pointer": "/reason", "detail": "is needed"}])
    row = insert(ApplicationReview).values(
        organization_id=application.organization_id,
        reviewer_id=_reviewer(actor),
        reason=reason,
        reviewed_at=clock.now(),
    )
    said = row.on_conflict_do_nothing().returning(ApplicationReview.reviewer_id)
    if db.session.execute(said).first() is None:
        raise SecondReviewerNeeded


def _reviewer(actor: Actor) -> str:
    """Return who says yes: the person, whichever membership they wear, or the program."""
    if actor.member_id is not None:
        person_id = db.session.scalar(select(Member.person_id).where(Member.id == actor.member_id))
        return person_id or actor.member_id
    return actor.client_id or actor.organization_id


def _suffices(actor: Actor, application: Application) -> bool:
    if application.risk != Risk.HIGH or actor.member_id is None:
        return True
    return queries.count_reviews(application.organization_id) >= EYES


def _record_review(actor: Actor, application: Application, reason: str | None) -> None:
    organization_id = application.organization_id
    facts = _facts(application, reason)
    audit.record(actor, Verb.APPLICATION_REVIEWED, subject=organization_id, counterparty=organization_id, facts=facts)


def _admit(actor: Actor, application: Application, reason: str | None) -> Organization:
    organization_id, email = application.organization_id, str(application.contact_email)
    facts = _facts(application, reason) | {"approvals": queries.count_reviews(organization_id)}
    organization = organizations.verify_organization(actor, organization_id, facts)
    # What is kept of the person from now on is the member, which their organization can remove.
    decided = {"decided_at": clock.now(), "contact_name": None, "contact_email": None}
    db.session.execute(update(Application).where(Application.organization_id == organization_id).values(**decided))
    _tell(organization, email)
    return organization


def _facts(application: Application, reason: str | None) -> dict[str, object]:
    told: dict[str, object] = {"risk": application.risk, "grounds": application.grounds}
    return told | ({"reason_sha256": sha256_hex(reason.encode())} if reason else {})


def _tell(organization: Organization, email: str) -> None:
    base = settings.current().base_url
    own = (Member.organization_id == organization.id, Member.email == email, Member.person_id.is_(None))
    member_id = db.session.scalar(select(Member.id).where(*own))
    link = f"{base}/invitation/{invitations.renew(member_id)}" if member_id is not None else None
    letter = letters.admitted(organization.name_ja, organization.name_en, link, base)
    mail.send(email, letter.subject, letter.body)
