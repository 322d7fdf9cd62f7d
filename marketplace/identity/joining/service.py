"""Deeds of joining: taking an application, and having its e-mail address checked."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from marketplace.audit import holds
from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.identity import service as identity
from marketplace.identity import throttle
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.identity.joining import assessing, letters, rules
from marketplace.identity.joining.errors import ApplicationsTooFrequent
from marketplace.identity.joining.models import Application
from marketplace.identity.joining.rules import Contact
from marketplace.identity.login import invitations, mailed_links
from marketplace.identity.login.errors import LinkOver
from marketplace.identity.login.mailed_links import Holder
from marketplace.identity.login.models import EmailChallenge
from marketplace.identity.login.states import ChallengePurpose
from marketplace.identity.models import AccessToken, ApiClient, Organization
from marketplace.identity.rules import ApplicationDraft
from marketplace.identity.service import Admission
from marketplace.identity.states import ClientState, OrganizationState
from marketplace.kit import clock, jobs, mail, settings
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction

LIFETIME = timedelta(hours=48)
"""So long an application waits for its e-mail address to be checked."""

APPLICATIONS_MAX = 20
"""So many applications one network address may send within ten minutes."""

LETTERS_MAX = 3
"""So many letters go to one address within the lifetime: nobody's letter box is filled by strangers."""

LAPSED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody is asked to confirm: who applies for which organization, and whether a program did."""

    organization: Organization
    contact_name: str
    contact_email: str
    by_program: bool


def apply(draft: ApplicationDraft, contact: Contact, peer: str) -> Admission:
    """Take an application that a program sends, and mail its contact the link to confirm it.

    Whether anybody knows the address or the number makes no difference to the answer. Raises ApplicationsTooFrequent,
    RegistrationClosed, ApplicationsFull, CapacityNotOpen or Invalid.
    """
    checked = _counted(contact, peer)
    admission = identity.apply(draft)
    _ask(admission.organization, checked)
    return admission


def apply_in_person(draft: ApplicationDraft, contact: Contact, peer: str) -> None:
    """Take an application that somebody fills in on a page; no program comes of it. Raises what ``apply`` raises."""
    checked = _counted(contact, peer)
    _ask(identity.apply_without_client(draft), checked)


def find_asked(token: str) -> Asked | None:
    """Return what a link asks to confirm, None for one that no longer works."""
    row = db.session.execute(
        select(Organization, Application.contact_name, Application.contact_email)
        .join(Application, Application.organization_id == Organization.id)
        .join(EmailChallenge, EmailChallenge.organization_id == Organization.id)
        .where(*mailed_links.open_with(ChallengePurpose.JOIN, token))
    ).first()
    if row is None:
        return None
    by_program = bool(_client_ids(row.Organization.id))
    return Asked(row.Organization, str(row.contact_name), str(row.contact_email), by_program)


def confirm(token: str, *, keep_client: bool) -> str:
    """Confirm an application by its mailed link, once: it comes before the operator, and the contact is its owner.

    Returns the token of the owner's invitation. A program that applied stays out unless the contact says that it is
    theirs: whoever wrote the application may be a stranger. Raises LinkOver, or CorporateNumberTaken.
    """
    organization_id = _spend(token)
    application = db.session.get_one(Application, organization_id, populate_existing=True)
    identity.admit_application(organization_id)
    contact = Contact(str(application.contact_name), str(application.contact_email))
    member = identity.add_member(Actor(organization_id), organization_id, rules.first_member(contact))
    if not keep_client:
        for client_id in _client_ids(organization_id):
            identity.suspend_client(Actor(organization_id), client_id)
    _write(organization_id, checked_at=clock.now())
    audit.record(
        Actor(organization_id, member_id=member.id),
        Verb.APPLICATION_CHECKED,
        subject=organization_id,
        facts={"client_kept": keep_client},
    )
    assessing.begin(organization_id)
    return invitations.renew(member.id)


@jobs.task("identity.lapse_applications", cron="17 * * * *")
def lapse() -> None:
    """Delete the applications whose e-mail address nobody has checked in time, with all that they said."""
    while _lapse_some():
        pass


def _counted(contact: Contact, peer: str) -> Contact:
    key = throttle.key_of("application", throttle.network_of(peer))
    seconds = throttle.seconds_left(key, APPLICATIONS_MAX)
    if seconds is not None:
        raise ApplicationsTooFrequent(retry_after_seconds=seconds)
    throttle.count_failure(key)
    return rules.checked_contact(contact)


def _ask(organization: Organization, contact: Contact) -> None:
    now = clock.now()
    facts = {"contact_name": contact.name, "contact_email": contact.email, "created_at": now, "grounds": []}
    db.session.execute(insert(Application).values(organization_id=organization.id, **facts))
    if _letters_to(contact.email) >= LETTERS_MAX:
        return
    holder = Holder(organization_id=organization.id)
    token = mailed_links.issue(ChallengePurpose.JOIN, contact.email, holder, LIFETIME)
    link = f"{settings.current().base_url}/joining/{token}"
    letter = letters.check(organization.name_ja, organization.name_en, link)
    mail.send(contact.email, letter.subject, letter.body)


def _letters_to(email: str) -> int:
    lately = (
        EmailChallenge.purpose == ChallengePurpose.JOIN.value,
        func.lower(EmailChallenge.email) == email.lower(),
        EmailChallenge.created_at > clock.now() - LIFETIME,
    )
    return db.session.scalar(select(func.count()).select_from(EmailChallenge).where(*lately)) or 0


def _spend(token: str) -> str:
    """Use up a link and return the organization that it is for; raises LinkOver."""
    holder = mailed_links.find_holder(ChallengePurpose.JOIN, token)
    if holder is None:
        raise LinkOver
    # The organization first, as lapsing does: whoever holds one of the two would else wait for the other.
    db.session.execute(select(Organization.id).where(Organization.id == holder.organization_id).with_for_update())
    mailed_links.spend(ChallengePurpose.JOIN, token)
    return str(holder.organization_id)


def _client_ids(organization_id: str) -> list[str]:
    own = (ApiClient.organization_id == organization_id, ApiClient.state == ClientState.ACTIVE.value)
    return list(db.session.scalars(select(ApiClient.id).where(*own)))


def _write(organization_id: str, **columns: Any) -> None:
    db.session.execute(update(Application).where(Application.organization_id == organization_id).values(**columns))


def _lapse_some() -> bool:
    with transaction():
        overdue = (
            select(Organization.id)
            .join(Application, Application.organization_id == Organization.id)
            .where(
                Organization.state == OrganizationState.UNCHECKED.value,
                Application.created_at <= clock.now() - LIFETIME,
                ~holds.covering(Organization.id),
            )
        )
        held = (
            overdue.order_by(Organization.id).limit(LAPSED_AT_ONCE).with_for_update(of=Organization, skip_locked=True)
        )
        lapsed = list(db.session.scalars(held))
        for organization_id in lapsed:
            audit.record(SYSTEM, Verb.APPLICATION_LAPSED, subject=organization_id, counterparty=organization_id)
        _forget(lapsed)
        return len(lapsed) == LAPSED_AT_ONCE


def _forget(organization_ids: list[str]) -> None:
    clients = select(ApiClient.id).where(ApiClient.organization_id.in_(organization_ids))
    for statement in (
        delete(EmailChallenge).where(EmailChallenge.organization_id.in_(organization_ids)),
        delete(Application).where(Application.organization_id.in_(organization_ids)),
        delete(AccessToken).where(AccessToken.client_id.in_(clients)),
        delete(ApiClient).where(ApiClient.organization_id.in_(organization_ids)),
        delete(Organization).where(Organization.id.in_(organization_ids)),
    ):
        db.session.execute(statement, execution_options={"synchronize_session": False})
