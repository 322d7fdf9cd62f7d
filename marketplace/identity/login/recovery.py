"""Forgotten passwords: a link by mail, the same answer for every address."""

from datetime import timedelta

from sqlalchemy import delete, func, or_, select

from marketplace.audit import holds
from marketplace.identity import held, throttle
from marketplace.identity.login import account, letters, mailed_links, passwords, people
from marketplace.identity.login.errors import LinkOver, TooManySignIns
from marketplace.identity.login.mailed_links import Holder
from marketplace.identity.login.models import EmailChallenge
from marketplace.identity.login.states import ChallengePurpose
from marketplace.identity.models import Person
from marketplace.identity.states import PersonState
from marketplace.kit import clock, jobs, mail, settings
from marketplace.kit.db import db
from marketplace.kit.texts import storable
from marketplace.kit.transaction import transaction

LIFETIME = timedelta(hours=1)
LINKS_MAX = 3
"""So many links to one person within an hour; nobody's letter box is filled by strangers."""

ASKED_MAX = 20
"""So often one network address may ask within ten minutes, for whomever."""

EMAIL_LENGTH_MAX = 254


def ask(email: str, peer: str) -> None:
    """Have a link sent to an address if it is somebody's; raises TooManySignIns for a peer that asks on and on.

    Whether it is somebody's is looked up by a job, so that neither the answer nor its time tells.
    """
    key = throttle.key_of("recovery", throttle.network_of(peer))
    seconds = throttle.seconds_left(key, ASKED_MAX)
    if seconds is not None:
        raise TooManySignIns(retry_after_seconds=seconds)
    throttle.count_failure(key)
    jobs.enqueue("identity.recover", email=storable(email.strip())[:EMAIL_LENGTH_MAX])


@jobs.task("identity.recover")
def send_link(email: str) -> None:
    """Mail the link to whom an address belongs, if to anybody."""
    with transaction():
        person = people.find_by_email(email)
        if person is None or person.state != PersonState.ACTIVE.value or _asked_lately(person.id) >= LINKS_MAX:
            return
        token = mailed_links.issue(ChallengePurpose.RESET, person.email, Holder(person.id), LIFETIME)
        link = f"{settings.current().base_url}/recovery/{token}"
        letter = letters.recovery(person.locale, link)
        mail.send(person.email, letter.subject, letter.body)


def is_open(token: str) -> bool:
    """Tell whether a link still works."""
    return mailed_links.find_holder(ChallengePurpose.RESET, token) is not None


def reset(token: str, password: str) -> None:
    """Set a new password by a mailed link, once; ends all sessions of the person, who then signs in with it.

    Opens transactions of its own. A second factor stays and is asked for. Raises LinkOver and PasswordRefused.
    """
    with transaction():
        holder = mailed_links.find_holder(ChallengePurpose.RESET, token)
        person = db.session.get(Person, holder.person_id) if holder is not None else None
        words = (person.name, person.email) if person is not None else None
    if words is None:
        raise LinkOver
    password_hash = passwords.hash_of(passwords.checked(password, words))
    with transaction():
        account.put_password(_spend(token), password_hash)


def _spend(token: str) -> str:
    """Use up a link, and with it all others of the person; returns whose it is."""
    holder = mailed_links.find_holder(ChallengePurpose.RESET, token)
    if holder is None or holder.person_id is None:
        raise LinkOver
    people.hold(holder.person_id)
    mailed_links.spend(ChallengePurpose.RESET, token)
    people.void_links(holder.person_id)
    return holder.person_id


def _asked_lately(person_id: str) -> int:
    lately = (EmailChallenge.person_id == person_id, EmailChallenge.created_at > clock.now() - LIFETIME)
    return db.session.scalar(select(func.count()).select_from(EmailChallenge).where(*lately)) or 0


@jobs.task("identity.forget_challenges", cron="13 * * * *")
def forget_expired() -> None:
    """Delete what was mailed to see whether an address is somebody's, a day after it has run out."""
    with transaction():
        over = EmailChallenge.expires_at <= clock.now() - timedelta(days=1)
        kept = or_(holds.covering(EmailChallenge.organization_id), held.of_person(EmailChallenge.person_id))
        db.session.execute(delete(EmailChallenge).where(over, ~kept))
