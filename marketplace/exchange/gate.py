"""The gate before publication: files are looked through, people answer for what is found, and nothing passes before."""

from pathlib import Path
from typing import Any

from marketplace.catalog import listings, profiling, queries
from marketplace.catalog import service as catalog
from marketplace.catalog.models import File
from marketplace.catalog.states import ProfileState
from marketplace.exchange import facilities, reminding
from marketplace.identity.actors import Actor
from marketplace.kit import jobs, settings
from marketplace.kit.errors import NotFound
from marketplace.kit.transaction import transaction
from marketplace.licensing import queries as licensing
from marketplace.licensing.models import Offer
from marketplace.privacy import inspection, service
from marketplace.privacy import queries as privacy
from marketplace.privacy.assessments import service as assessments
from marketplace.privacy.detectors import Finding, Kind, Level
from marketplace.privacy.errors import RowsTooUnique
from marketplace.privacy.models import PrivacyFinding, PrivacyStatement
from marketplace.privacy.reminders.states import Decision
from marketplace.privacy.rules import StatementDraft
from marketplace.privacy.service import Looked
from marketplace.privacy.states import Answer, PrivacyClass

MEASURE_JOB = "privacy.measure"
WITH_PROVIDER = "with-provider"


def looked(path: Path, profile: dict[str, Any] | None) -> Looked:
    """Look through a profiled file in a confined process; opens no transaction."""
    found = inspection.inspect_file(path, profile, _limits(facilities.current()))
    return Looked(found.findings, found.total, found.rows, found.problem)


def keep(file_id: str, found: Looked) -> None:
    """Keep what was found in a file, and have its rows counted where its provider declared quasi-identifiers."""
    service.record_inspection(file_id, found, unread=Level(settings.current().unread_files))
    _ask_to_measure([queries.get_file(file_id)])


def keep_unseen(file_id: str) -> None:
    """Keep of a file that stays with its provider that nobody here looked through it: a person must answer for it."""
    keep(file_id, Looked(problem=WITH_PROVIDER))


def columns_of_people(file_id: str) -> set[str]:
    """Return the columns of a file in which people were found, as far as it was looked through."""
    return privacy.columns_of_people(file_id)


def refuse_unseen(file: File) -> bool:
    """Refuse a file whose bytes were refused meanwhile as those of another: nobody opens them, and they may be gone."""
    if not privacy.is_blocked(file.sha256):
        return False
    with transaction():
        if queries.find_file_by_id(file.id) is not None:
            catalog.record_profile(file.id, None, ProfileState.FAILED)
            keep(file.id, Looked((Finding(Kind.MY_NUMBER, Level.BLOCKED, "", 0, 0, 0),), total=1))
    return True


@jobs.task("privacy.inspect", slow=True)
def inspect(file_id: str) -> None:
    """Look through a file of which nothing is kept, as those are that were profiled before there was a gate."""
    file = queries.find_file_by_id(file_id)
    if file is None or privacy.find_inspection(file_id) is not None or refuse_unseen(file):
        return
    if file.origin_url is not None:
        with transaction():
            keep_unseen(file_id)
        return
    with facilities.current().store.open(file.sha256) as stored:
        found = looked(Path(stored.name), file.profile)
    with transaction():
        if queries.find_file_by_id(file_id) is not None:
            keep(file_id, found)


@jobs.task("privacy.inspect_left", cron="29 * * * *")
def inspect_left() -> None:
    """Take up the files of drafts that were never looked through."""
    with transaction():
        for file_id in privacy.uninspected_file_ids():
            jobs.enqueue("privacy.inspect", file_id=file_id)


def require_publishable(release_id: str, dataset_id: str) -> None:
    """Refuse a release that the gate holds back; raises what is open there, AssessmentMissing, RowsTooUnique."""
    service.require_publishable(release_id)
    assessments.require_covered(dataset_id, PrivacyClass.NON_PERSONAL)
    statement = privacy.find_statement(dataset_id)
    if statement is None or not statement.quasi_identifiers:
        return
    inspections = privacy.inspections_of(release_id)
    least = settings.current().alike_rows_min
    short = []
    for file in queries.list_files(release_id):
        alike = inspections[file.id].alike if file.id in inspections else None
        is_meant = file.origin_url is None and _has_columns(file, statement)
        if is_meant and (alike is None or alike.get("version") != statement.version or alike.get("k", 0) < least):
            short.append({"name": file.name, "alike": alike})
    if short:
        raise RowsTooUnique(files=short[:20], k_min=least)


def require_assessed(offer: Offer) -> None:
    """Refuse an offer whose class needs an impact assessment that there is not; raises AssessmentMissing."""
    terms = licensing.usage_terms(licensing.get_terms(offer.terms_sha256))
    assessments.require_covered(offer.dataset_id, terms.personal_data.code)


def answer(actor: Actor, finding_id: str, sha256: str, said: Answer, reason: str) -> PrivacyFinding:
    """Answer a finding, in line with whoever changes the dataset; raises what ``answer_finding`` raises."""
    finding = privacy.get_visible_finding(actor, finding_id)
    listings.stand_in_line(queries.get_own_dataset(actor, finding.dataset_id).id)
    return service.answer_finding(actor, finding_id, sha256, said, reason)


def second(actor: Actor, finding_id: str, *, agrees: bool) -> PrivacyFinding:
    """Agree to an answer, or send it back; raises what ``second_answer`` raises."""
    finding = privacy.get_visible_finding(actor, finding_id)
    listings.stand_in_line(finding.dataset_id)
    seconded = service.second_answer(actor, finding_id, agrees=agrees)
    if not agrees:
        reminding.tell_provider(finding.dataset_id, Decision.NOT_AGREED)
    elif privacy.is_settled(queries.get_file(finding.file_id).release_id):
        reminding.tell_provider(finding.dataset_id, Decision.AGREED)
    return seconded


def remove_file(actor: Actor, release_id: str, name: str) -> None:
    """Take a file out of a draft release, with all that was found in it; raises NotFound or ReleaseSealed."""
    release = queries.get_own_release(actor, release_id)
    listings.stand_in_line(release.dataset_id)
    file = queries.find_file(release.id, name)
    if file is None:
        raise NotFound
    catalog.remove_file(actor, file.id, gives_room=not privacy.holds_my_numbers(file.id))


def state(actor: Actor, dataset_id: str, draft: StatementDraft) -> PrivacyStatement:
    """State what a dataset holds of people, and have the rows of its drafts counted anew."""
    listings.stand_in_line(queries.get_own_dataset(actor, dataset_id).id)
    statement = service.state_privacy(actor, dataset_id, draft)
    for release in queries.list_releases(dataset_id, state=None, size=100).items:
        if release.state == "draft":
            _ask_to_measure(queries.list_files(release.id))
    return statement


def _ask_to_measure(files: Any) -> None:
    for file in files:
        statement = privacy.find_statement(queries.get_release(file.release_id).dataset_id)
        if statement is not None and statement.quasi_identifiers and _has_columns(file, statement):
            jobs.enqueue(MEASURE_JOB, file_id=file.id)


@jobs.task(MEASURE_JOB, slow=True)
def measure(file_id: str) -> None:
    """Count the rows of a file that are alike in the quasi-identifiers which its provider declared."""
    file = queries.find_file_by_id(file_id)
    statement = privacy.find_statement(queries.get_release(file.release_id).dataset_id) if file else None
    if file is None or statement is None or file.profile is None or privacy.find_inspection(file_id) is None:
        return
    if privacy.is_blocked(file.sha256):
        return
    means = facilities.current()
    version, quasi, sensitive = statement.version, statement.quasi_identifiers, statement.sensitive_columns
    with means.store.open(file.sha256) as stored:
        alike = inspection.measure_file(Path(stored.name), file.profile, quasi, sensitive, _limits(means))
    with transaction():
        if queries.find_file_by_id(file_id) is not None:
            service.record_measure(file_id, alike | {"version": version})


def _has_columns(file: File, statement: PrivacyStatement) -> bool:
    named = {column.get("name") for column in (file.profile or {}).get("columns", ())}
    return {*statement.quasi_identifiers, *statement.sensitive_columns} <= named


def _limits(means: facilities.Facilities) -> profiling.ProfileLimits:
    seconds = means.settings.inspection_cpu_seconds_max
    return profiling.ProfileLimits(
        memory_bytes=means.settings.profile_memory_bytes_max, cpu_seconds=seconds, wall_seconds=2 * seconds
    )
