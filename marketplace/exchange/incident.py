"""Incident: what went wrong → what it touches → what rests → who is told, by when → what was reported, and its end."""

from collections.abc import Sequence
from contextlib import suppress

from marketplace.access import queries as grants
from marketplace.access import service as access
from marketplace.access.rules import standing
from marketplace.access.states import Cause, Standing
from marketplace.identity import queries as identity
from marketplace.identity import roles
from marketplace.identity import service as clients
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.incidents import letters, queries, service
from marketplace.incidents.errors import IncidentClosed
from marketplace.incidents.models import Incident, IncidentGrant
from marketplace.incidents.rules import IncidentDraft
from marketplace.incidents.states import Stage, Target
from marketplace.kit import clock, jobs, mail, settings
from marketplace.kit.transaction import transaction

AUTHORITY = "authority"


def open_incident(actor: Actor, draft: IncidentDraft) -> Incident:
    """Open an incident, find what it touches, and let rest what the draft says, all in one transaction.

    Raises Invalid, and NotFound for a client to be suspended that there is not. A drill touches nobody.
    """
    incident = service.open_incident(actor, draft)
    if Target.CLIENTS in incident.suspends and not incident.drill:
        for client_id in incident.client_ids:
            clients.suspend_client(actor, client_id)
    _hold_issuing(incident)
    _assess(actor, incident)
    return incident


def assess(actor: Actor, incident_id: str) -> Incident:
    """Look again for what an incident touches: what was still running, and what was told of late.

    Grants that come to light rest as the others do. Raises NotFound or IncidentClosed.
    """
    incident = service.lock_open(incident_id)
    _assess(actor, incident)
    return incident


def tell(actor: Actor, incident_id: str) -> Incident:
    """Send a notice to the responsible members of every buyer and provider that has none yet, and to the authority.

    Looks first for what has come to light since. Where nobody has an address the notice waits for the organization's
    program; of a drill no letter goes out. Raises NotFound or IncidentClosed.
    """
    incident = service.lock_open(incident_id)
    # What only closing finds is gone again as closing refuses: nobody would ever be told of it.
    _assess(actor, incident)
    rests = Target.GRANTS in incident.suspends and incident.lifted_at is None
    for organization_id in queries.list_untold(incident.id):
        _tell_organization(actor, incident, organization_id, rests=rests)
    authority = settings.current().incident_authority_email
    if incident.personal_data and not queries.is_told(incident.id, AUTHORITY):
        letter = letters.to_authority(incident, identity.get_organization(incident.opened_by).kind)
        mailed = mail.send(authority, letter.subject, letter.body) if authority and not incident.drill else None
        service.add_notice(actor, incident, AUTHORITY, None, mailed)
    return incident


def report(actor: Actor, incident_id: str, stage: Stage, reference: str, evidence_sha256: str) -> Incident:
    """Note a report to the authority; raises NotFound, IncidentClosed or IncidentReported."""
    incident = service.lock_open(incident_id)
    service.report(actor, incident, stage, reference, evidence_sha256)
    return incident


def lift(actor: Actor, incident_id: str) -> Incident:
    """Open again what rests because of an incident, where nothing else has it rest; clients stay shut out.

    Raises NotFound or IncidentClosed.
    """
    incident = service.lock_open(incident_id)
    _hold_issuing(incident)
    _lift(actor, incident)
    return incident


def close(actor: Actor, incident_id: str, text: str) -> Incident:
    """Look a last time for what an incident touches, open what rests, and close it with its report.

    Raises NotFound, IncidentClosed, IncidentUntold or IncidentUnreported.
    """
    incident = service.lock_open(incident_id)
    _hold_issuing(incident)
    _assess(actor, incident)
    _lift(actor, incident)
    service.close(actor, incident, text)
    return incident


@jobs.task("incidents.watch", cron="*/10 * * * *", slow=True)
def watch() -> None:
    """Keep which letters went out, flag what is overdue, tell the operator of it, and let rest what has come since."""
    with transaction():
        service.note_sent()
        for incident in service.flag_overdue():
            _tell_operator(incident)
    for incident_id in queries.list_with_rest():
        with suppress(IncidentClosed), transaction():
            _assess(SYSTEM, service.lock_open(incident_id), only_news=True)


def _hold_issuing(incident: Incident) -> None:
    """Wait for grants that are being issued, and have others wait, which then see what this does to the incident.

    Before grants, as whoever issues, renews or gives back a grant. See ``access.hold_issuing``.
    """
    if Target.GRANTS in incident.suspends and not incident.drill:
        access.hold_issuing(incident.dataset_ids)


def _assess(actor: Actor, incident: Incident, *, only_news: bool = False) -> None:
    service.assess(actor, incident, only_news=only_news)
    if Target.GRANTS in incident.suspends and incident.lifted_at is None and not incident.drill:
        resting = [one.grant_id for one in queries.list_touched(incident.id) if _has_rest(actor, incident, one)]
        service.mark_suspended(incident, resting)


def _has_rest(actor: Actor, incident: Incident, touched: IncidentGrant) -> bool:
    """Let a grant rest that is worth something, once; tell whether it was this time."""
    grant = None if touched.suspended else grants.find_grant(touched.grant_id)
    if grant is None:
        # The record knows of a grant whose row is gone: it is told of, and opens nothing that could rest.
        return False
    if standing(grant.state, grant.expires_at, clock.now()) not in {Standing.ACTIVE, Standing.SUSPENDED}:
        return False
    return access.suspend(actor, touched.grant_id, Cause.INCIDENT, incident.id)


def _lift(actor: Actor, incident: Incident) -> None:
    if incident.lifted_at is not None or not incident.suspends:
        return
    for grant_id in grants.list_resting(Cause.INCIDENT, incident.id):
        access.lift(actor, grant_id, Cause.INCIDENT, incident.id)
    service.lift(actor, incident)


def _tell_organization(actor: Actor, incident: Incident, organization_id: str, *, rests: bool) -> None:
    address = f"{settings.current().base_url}/organization/notices"
    share = queries.share_of(incident.id, organization_id)
    letter = letters.to_organization(incident, share, address, rests=rests)
    for recipient, email in _recipients(organization_id):
        mailed = mail.send(email, letter.subject, letter.body) if email and not incident.drill else None
        service.add_notice(actor, incident, recipient, organization_id, mailed)


def _recipients(organization_id: str) -> Sequence[tuple[str, str | None]]:
    members = identity.list_members_in(organization_id, roles.RESPONSIBLE)
    return [(member.id, member.email) for member in members] or [(organization_id, None)]


def _tell_operator(incident: Incident) -> None:
    if incident.drill:
        return
    letter = letters.overdue(incident, f"{settings.current().base_url}/v1/incidents/{incident.id}")
    for address in identity.list_addresses(incident.opened_by, roles.JUDGING):
        mail.send(address, letter.subject, letter.body)
