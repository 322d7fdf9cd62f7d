"""Assessing: the public registers are looked up, and the risk of an application follows from what they say."""

from collections.abc import Iterable

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.identity import queries as identity
from marketplace.identity.actors import SYSTEM
from marketplace.identity.joining import queries, registries, rules
from marketplace.identity.joining.models import Application, RegistryFinding
from marketplace.identity.joining.registries import Asked, Finding
from marketplace.identity.joining.rules import Applicant
from marketplace.identity.joining.states import Outcome, Registry
from marketplace.kit import clock, jobs
from marketplace.kit.db import db
from marketplace.kit.errors import Conflict
from marketplace.kit.transaction import transaction

JOB = "identity.look_up"


def begin(organization_id: str) -> None:
    """Assess an application: at once where no register is to be asked, else once a job has asked them."""
    asked = _asked(organization_id)
    wanted = registries.to_ask(asked)
    if any(map(registries.is_on, wanted)):
        jobs.enqueue(JOB, organization_id=organization_id, lock=organization_id)
    else:
        record(organization_id, [Finding(registry, Outcome.OFF) for registry in wanted])


def look_up_again(organization_id: str) -> None:
    """Have the registers asked once more, such as after one did not answer.

    What is found stands in the record. Raises NotFound, or Conflict once the application is decided.
    """
    shown = queries.get_waiting(organization_id)
    if shown.application.decided_at is not None:
        raise Conflict
    begin(organization_id)


@jobs.task(JOB)
def look_up(organization_id: str) -> None:
    """Ask the registers of an application, and keep what they say; what was decided meanwhile stays decided."""
    with transaction():
        asked = _asked(organization_id)
    # No transaction is open while strangers are waited for.
    findings = [registries.look_up(registry, asked) for registry in registries.to_ask(asked)]
    with transaction():
        record(organization_id, findings)


def record(organization_id: str, findings: Iterable[Finding]) -> None:
    """Keep what was found, and the risk that follows from it."""
    held = select(Application).where(Application.organization_id == organization_id).with_for_update()
    application = db.session.scalars(held, execution_options={"populate_existing": True}).one()
    if application.decided_at is not None:
        return
    outcomes = {finding.registry: finding.outcome for finding in findings}
    _keep(organization_id, findings)
    number = identity.get_organization(organization_id).corporate_number
    assessed = rules.assess(Applicant(str(application.contact_email), number), outcomes)
    grounds = [ground.value for ground in assessed.grounds]
    written = update(Application).where(Application.organization_id == organization_id)
    db.session.execute(written.values(risk=assessed.risk.value, grounds=grounds))
    facts = {"risk": assessed.risk.value, "grounds": grounds, "outcomes": _told(outcomes)}
    audit.record(SYSTEM, Verb.APPLICATION_ASSESSED, subject=organization_id, counterparty=organization_id, facts=facts)


def _asked(organization_id: str) -> Asked:
    of = identity.get_organization(organization_id)
    return Asked(of.name_ja, of.corporate_number, of.invoice_registration_number)


def _keep(organization_id: str, findings: Iterable[Finding]) -> None:
    for finding in findings:
        said = {"outcome": finding.outcome.value, "facts": finding.facts, "looked_up_at": clock.now()}
        row = insert(RegistryFinding).values(organization_id=organization_id, register=finding.registry.value, **said)
        db.session.execute(row.on_conflict_do_update(index_elements=["organization_id", "register"], set_=said))


def _told(outcomes: dict[Registry, Outcome]) -> dict[str, str]:
    return {registry.value: outcome.value for registry, outcome in outcomes.items()}
