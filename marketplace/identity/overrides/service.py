"""Deeds of overrides: proposing, saying yes as somebody else, withdrawing, and running out."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.identity import holders, judging
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.identity.deeds import Permission
from marketplace.identity.overrides import queries, rules
from marketplace.identity.overrides.errors import OverrideOver, PersonNeeded, ProposerBarred, SamePerson
from marketplace.identity.overrides.models import Override
from marketplace.identity.overrides.states import OverrideDeed, OverrideState
from marketplace.identity.rules import REASON_LENGTH_MAX, checked_text
from marketplace.identity.states import Assurance
from marketplace.kit import clock, jobs
from marketplace.kit.canonical import digest_of, sha256_hex
from marketplace.kit.db import db
from marketplace.kit.errors import Forbidden
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction

LIVES = timedelta(hours=72)
"""Over a weekend; what nobody has agreed to by then was not urgent, and may no longer be right."""


def propose(actor: Actor, deed: OverrideDeed, about: str, arguments: dict[str, Any], reason: str) -> Override:
    """Propose a deed; nothing happens before another person approves it. Raises PersonNeeded or Invalid."""
    member_id, person_id = _person(actor)
    tidied = checked_text("reason", reason, REASON_LENGTH_MAX)
    now = clock.now()
    override = Override(
        id=new_id("ovr"),
        deed=deed.value,
        about=about,
        arguments=arguments,
        reason=tidied,
        state=OverrideState.PROPOSED.value,
        organization_id=actor.organization_id,
        person_id=person_id,
        member_id=member_id,
        client_id=actor.client_id,
        proposed_at=now,
        expires_at=now + LIVES,
    )
    db.session.add(override)
    db.session.flush()
    _record(actor, Verb.OVERRIDE_PROPOSED, override)
    return override


def approve(actor: Actor, override_id: str) -> Override:
    """Say yes to another's proposal; the caller carries it out in the same transaction, or rolls back.

    Raises PersonNeeded, NotFound, OverrideOver, SamePerson or ProposerBarred.
    """
    member_id, person_id = _person(actor)
    override = _open(override_id)
    if clock.now() >= override.expires_at:
        raise OverrideOver(state=OverrideState.EXPIRED.value)
    if person_id == override.person_id:
        raise SamePerson
    _require_proposer(override)
    override.approver_person_id, override.approver_member_id = person_id, member_id
    override.approver_client_id = actor.client_id
    return _end(actor, override, OverrideState.CARRIED_OUT, Verb.OVERRIDE_APPROVED)


def withdraw(actor: Actor, override_id: str) -> Override:
    """End a proposal that nobody has approved, as whoever proposed it or as anybody who may; raises OverrideOver."""
    return _end(actor, _open(override_id), OverrideState.WITHDRAWN, Verb.OVERRIDE_WITHDRAWN)


@jobs.task("identity.overrides.expire", cron="23 * * * *")
def expire() -> None:
    """End the proposals that nobody approved in time."""
    with transaction():
        over = (Override.state == OverrideState.PROPOSED.value, Override.expires_at <= clock.now())
        for override in db.session.scalars(select(Override).where(*over).with_for_update(skip_locked=True)).all():
            _end(SYSTEM, override, OverrideState.EXPIRED, Verb.OVERRIDE_EXPIRED)


def _open(override_id: str) -> Override:
    override = queries.lock_override(override_id)
    if override.state != OverrideState.PROPOSED.value:
        raise OverrideOver(state=override.state)
    return override


def _person(actor: Actor) -> tuple[str, str]:
    """Return the member who acts and the person who that is; a program is nobody, whoever holds its secret."""
    person_id = queries.find_person(actor.member_id) if actor.member_id else None
    if actor.member_id is None or person_id is None:
        raise PersonNeeded
    return actor.member_id, person_id


def _require_proposer(override: Override) -> None:
    """Refuse a proposal of somebody who may no longer make it; the second factor that they proved then still counts."""
    who = (override.organization_id, str(override.client_id), override.member_id)
    proposer = holders.find_holder(*who, Assurance.AAL2)
    if proposer is None:
        raise ProposerBarred
    with_factor = replace(proposer, authenticated_at=clock.now())
    try:
        for permission in (Permission.OVERRIDES_DECIDE, rules.PERMISSIONS[OverrideDeed(override.deed)]):
            judging.require(with_factor, permission)
    except Forbidden as error:
        raise ProposerBarred from error


def _end(actor: Actor, override: Override, state: OverrideState, verb: Verb) -> Override:
    override.state, override.ended_at = state.value, clock.now()
    db.session.flush()
    _record(actor, verb, override)
    return override


def _record(actor: Actor, verb: Verb, override: Override) -> None:
    facts = {
        "deed": override.deed,
        "about": override.about,
        "arguments_sha256": digest_of(override.arguments),
        "reason_sha256": sha256_hex(override.reason.encode()),
    }
    audit.record(actor, verb, subject=override.id, facts=facts)
