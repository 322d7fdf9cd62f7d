"""Deeds about incidents: opening, assessing, telling, reporting, closing. What they make rest, a story does."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Text, cast, exists, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import aliased

from marketplace.audit import sequencer
from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.incidents import affected, queries, rules
from marketplace.incidents.errors import IncidentClosed, IncidentReported, IncidentUnreported, IncidentUntold
from marketplace.incidents.models import Incident, IncidentDuty, IncidentGrant, IncidentNotice
from marketplace.incidents.rules import IncidentDraft
from marketplace.incidents.states import Addressee, IncidentState, Stage
from marketplace.kit import clock, mail, settings
from marketplace.kit.canonical import digest_of, sha256_hex
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import new_id

NOTED_MAX = 10_000
"""So many letters are noted as sent at once; a database takes 65,535 parameters, and the next time comes soon."""
NOTED_WITHIN = 5 * mail.KEPT


def open_incident(actor: Actor, draft: IncidentDraft) -> Incident:
    """Open an incident, with the reports that are owed where personal data are concerned; raises Invalid."""
    rules.check_draft(draft)
    incident = Incident(
        id=new_id("inc"),
        kind=draft.kind.value,
        state=IncidentState.OPEN.value,
        drill=draft.drill,
        personal_data=draft.personal_data,
        deliberate=draft.deliberate,
        summary_ja=draft.summary_ja,
        summary_en=draft.summary_en,
        began_at=draft.began_at,
        ended_at=draft.ended_at,
        noticed_at=draft.noticed_at,
        dataset_ids=sorted(set(draft.dataset_ids)),
        release_ids=sorted(set(draft.release_ids)),
        sha256s=sorted(set(draft.sha256s)),
        organization_ids=sorted(set(draft.organization_ids)),
        client_ids=sorted(set(draft.client_ids)),
        suspends=sorted({target.value for target in draft.suspends}),
        opened_by=actor.organization_id,
        opened_at=clock.now(),
    )
    db.session.add(incident)
    db.session.flush()
    _owe(incident)
    audit.record(actor, Verb.INCIDENT_OPENED, subject=incident.id, facts=_told(incident))
    return incident


def lock_open(incident_id: str) -> Incident:
    """Return an incident that nobody else changes until the transaction ends; raises NotFound or IncidentClosed."""
    found = queries.get_incident(incident_id)
    query = select(Incident).where(Incident.id == found.id).with_for_update()
    incident = db.session.scalars(query, execution_options={"populate_existing": True}).one()
    if incident.state != IncidentState.OPEN:
        raise IncidentClosed
    return incident


def assess(actor: Actor, incident: Incident, *, only_news: bool = False) -> None:
    """Find what an incident touches, as far as it is known by now, and keep the list with its counts and hash.

    What is no news goes on no record: a job looks again every ten minutes. With ``only_news`` it reads what was written
    since the last time.
    """
    known, since = (incident.affected, incident.affected_sha256), incident.read_to if only_news else None
    # Before the clock is read: whatever has its place by then happened before ``assessed_at``, and is read this time.
    incident.read_to = sequencer.tree_size()
    incident.assessed_at = clock.now()
    db.session.flush()
    incident.affected, incident.affected_sha256 = affected.find(incident.id, since)
    db.session.flush()
    if (incident.affected, incident.affected_sha256) == known:
        return
    facts = {"drill": incident.drill, "counts": incident.affected, "deliveries_sha256": incident.affected_sha256}
    audit.record(actor, Verb.INCIDENT_ASSESSED, subject=incident.id, facts=facts)


def mark_suspended(incident: Incident, grant_ids: Sequence[str]) -> None:
    """Note which of the grants that an incident touches rest because of it."""
    named = func.any(cast(list(grant_ids), ARRAY(Text())))
    own = (IncidentGrant.incident_id == incident.id, IncidentGrant.grant_id == named)
    db.session.execute(update(IncidentGrant).where(*own).values(suspended=True))


def add_notice(
    actor: Actor, incident: Incident, recipient: str, organization_id: str | None, mail_id: str | None
) -> None:
    """Note that somebody is told; ``recipient`` is a member, an organization or the authority. Never twice."""
    row = {
        "id": new_id("inn"),
        "incident_id": incident.id,
        "addressee": (Addressee.ORGANIZATION if organization_id else Addressee.AUTHORITY).value,
        "recipient": recipient,
        "organization_id": organization_id,
        "mail_id": mail_id,
        "queued_at": clock.now(),
        "due_at": _due_dates(incident)[Stage.PRELIMINARY],
    }
    db.session.execute(insert(IncidentNotice).values(row).on_conflict_do_nothing())
    facts = {"notice_id": row["id"], "recipient": recipient, "drill": incident.drill, "by_mail": mail_id is not None}
    audit.record(actor, Verb.INCIDENT_TOLD, subject=incident.id, counterparty=organization_id, facts=facts)


def acknowledge(actor: Actor, notice_id: str) -> tuple[IncidentNotice, Incident]:
    """Take note of a notice to one's organization; doing it twice changes nothing. Raises NotFound."""
    notice, incident = queries.get_notice(actor, notice_id)
    whose = notice.organization_id or incident.opened_by
    if whose != actor.organization_id:
        # An overseer sees the notices to others and cannot take note of them in their place.
        raise NotFound
    by = actor.member_id or actor.client_id or actor.organization_id
    open_one = (IncidentNotice.id == notice.id, IncidentNotice.acknowledged_at.is_(None))
    noted = update(IncidentNotice).where(*open_one).values(acknowledged_at=clock.now(), acknowledged_by=by)
    if db.session.scalar(noted.returning(IncidentNotice.id)) is not None:
        facts = {"notice_id": notice.id, "recipient": notice.recipient}
        audit.record(actor, Verb.INCIDENT_ACKNOWLEDGED, subject=incident.id, facts=facts)
    db.session.refresh(notice)
    return notice, incident


def report(actor: Actor, incident: Incident, stage: Stage, reference: str, evidence_sha256: str) -> None:
    """Note that a report was made to the authority; the same once more changes nothing. Raises IncidentReported."""
    owed = select(IncidentDuty).where(IncidentDuty.incident_id == incident.id, IncidentDuty.stage == stage.value)
    duty = db.session.scalar(owed.with_for_update())
    said = (reference, evidence_sha256)
    if duty is None or (duty.done_at is not None and (duty.reference, duty.evidence_sha256) != said):
        raise IncidentReported
    if duty.done_at is not None:
        return
    duty.done_at, duty.reference, duty.evidence_sha256 = clock.now(), *said
    db.session.flush()
    facts = {"stage": stage.value, "evidence_sha256": evidence_sha256, "in_time": duty.done_at <= duty.due_at}
    audit.record(actor, Verb.INCIDENT_REPORTED, subject=incident.id, facts=facts)


def lift(actor: Actor, incident: Incident) -> None:
    """Note that nothing rests because of an incident any longer."""
    incident.lifted_at = clock.now()
    db.session.flush()
    audit.record(actor, Verb.INCIDENT_LIFTED, subject=incident.id)


def close(actor: Actor, incident: Incident, text: str) -> None:
    """Close an incident with its report, whose hash goes on the record; raises IncidentUntold or IncidentUnreported."""
    if untold := queries.list_untold(incident.id):
        raise IncidentUntold(organization_ids=list(untold[:100]))
    if missing := [duty.stage for duty in queries.list_duties(incident.id) if duty.done_at is None]:
        raise IncidentUnreported(stages=missing)
    incident.state, incident.closed_at = IncidentState.CLOSED.value, clock.now()
    incident.report, incident.report_sha256 = text, sha256_hex(text.encode())
    db.session.flush()
    facts = {
        "drill": incident.drill,
        "report_sha256": incident.report_sha256,
        "deliveries_sha256": incident.affected_sha256,
        "counts": incident.affected,
    }
    audit.record(actor, Verb.INCIDENT_CLOSED, subject=incident.id, facts=facts)


def note_sent() -> int:
    """Keep when letters went out, before the mail forgets them; return how many of at most ``NOTED_MAX`` did."""
    # A letter that waits longer than its row can last will never be known as sent.
    asked = (IncidentNotice.mail_id.is_not(None), IncidentNotice.queued_at > clock.now() - NOTED_WITHIN)
    gone = exists().where(mail.Mail.id == IncidentNotice.mail_id, mail.Mail.sent_at.is_not(None))
    waiting = select(IncidentNotice).where(IncidentNotice.sent_at.is_(None), *asked, gone).order_by(IncidentNotice.id)
    notices = db.session.scalars(waiting.limit(NOTED_MAX).with_for_update(skip_locked=True)).all()
    sent = mail.sent_at([str(notice.mail_id) for notice in notices])
    for notice in notices:
        notice.sent_at = sent.get(str(notice.mail_id))
    db.session.flush()
    return len(sent)


def flag_overdue() -> list[Incident]:
    """Flag reports not made and notices not taken note of in time, each once; return the incidents they belong to."""
    now, late = clock.now(), set()
    duty_late = (IncidentDuty.done_at.is_(None), IncidentDuty.overdue_at.is_(None), IncidentDuty.due_at <= now)
    duties = db.session.scalars(update(IncidentDuty).where(*duty_late).values(overdue_at=now).returning(IncidentDuty))
    for duty in duties.all():
        late.add(duty.incident_id)
        facts = {"stage": duty.stage, "due_at": clock.text(duty.due_at)}
        audit.record(SYSTEM, Verb.INCIDENT_OVERDUE, subject=duty.incident_id, facts=facts)
    for notice in _late_notices(now):
        late.add(notice.incident_id)
        facts = {"notice_id": notice.id, "due_at": clock.text(notice.due_at)}
        whose = notice.organization_id
        audit.record(SYSTEM, Verb.INCIDENT_OVERDUE, subject=notice.incident_id, counterparty=whose, facts=facts)
    return [queries.get_incident(incident_id) for incident_id in sorted(late)]


def _late_notices(now: datetime) -> Sequence[IncidentNotice]:
    # That a letter went out tells nobody that it was read: an organization that takes no note in time is to be called.
    noted = aliased(IncidentNotice)
    same = (noted.incident_id == IncidentNotice.incident_id, noted.organization_id == IncidentNotice.organization_id)
    late = (
        IncidentNotice.acknowledged_at.is_(None),
        ~exists().where(*same, noted.acknowledged_at.is_not(None)),
        IncidentNotice.overdue_at.is_(None),
        IncidentNotice.due_at <= now,
        IncidentNotice.addressee == Addressee.ORGANIZATION.value,
    )
    return db.session.scalars(
        update(IncidentNotice).where(*late).values(overdue_at=now).returning(IncidentNotice)
    ).all()


def _owe(incident: Incident) -> None:
    if incident.personal_data:
        dates = _due_dates(incident)
        db.session.add_all(
            IncidentDuty(incident_id=incident.id, stage=stage.value, due_at=due_at) for stage, due_at in dates.items()
        )
        db.session.flush()


def _due_dates(incident: Incident) -> dict[Stage, datetime]:
    days = settings.current().incident_preliminary_days
    return rules.due_dates(incident.noticed_at, deliberate=incident.deliberate, preliminary_days=days)


def _told(incident: Incident) -> dict[str, object]:
    words = f"{incident.summary_ja}\n{incident.summary_en}"
    named = ("kind", "drill", "personal_data", "deliberate", "suspends")
    times = {name: clock.text(getattr(incident, name)) for name in ("began_at", "noticed_at")}
    # Thousands of ids are more than an entry of the record holds: the incident keeps them, the hash binds it to them.
    scopes = {name: getattr(incident, name) for name in rules.SCOPES}
    return {name: getattr(incident, name) for name in named} | times | {
        "scopes": {name: {"count": len(ids), "sha256": digest_of(ids)} for name, ids in scopes.items() if ids},
        "ended_at": incident.ended_at and clock.text(incident.ended_at),
        "summary_sha256": sha256_hex(words.encode()),
    }  # fmt: skip
