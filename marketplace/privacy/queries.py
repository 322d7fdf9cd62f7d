"""Reads of the gate."""

from collections.abc import Collection, Sequence

from sqlalchemy import Select, and_, select

from marketplace.catalog import queries as catalog
from marketplace.catalog.models import Dataset, File, Release
from marketplace.catalog.states import ReleaseState
from marketplace.identity.actors import Actor
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.pages import SIZE_DEFAULT, Page, cut, decode_cursor
from marketplace.kit.texts import storable
from marketplace.privacy.detectors import Kind, Level
from marketplace.privacy.masking import NEVER_LIFTED, ColumnFound
from marketplace.privacy.models import BlockedContent, FileInspection, PrivacyFinding, PrivacyStatement
from marketplace.privacy.states import Answer, FindingState


def find_inspection(file_id: str) -> FileInspection | None:
    """Return what came of looking through a file, or None."""
    statement = select(FileInspection).where(FileInspection.file_id == storable(file_id))
    return db.session.scalar(statement.execution_options(populate_existing=True))


def get_visible_finding(actor: Actor, finding_id: str) -> PrivacyFinding:
    """Return a finding in a file of the caller's, or any for overseers; raises NotFound."""
    statement = select(PrivacyFinding).where(PrivacyFinding.id == storable(finding_id))
    finding = db.session.scalar(statement.execution_options(populate_existing=True))
    if finding is None:
        raise NotFound
    catalog.get_visible_dataset(actor, finding.dataset_id)
    return finding


def lock_finding(finding_id: str) -> PrivacyFinding:
    """Return a finding that nobody else changes until the transaction ends; raises NotFound."""
    statement = select(PrivacyFinding).where(PrivacyFinding.id == storable(finding_id)).with_for_update()
    finding = db.session.scalar(statement.execution_options(populate_existing=True))
    if finding is None:
        raise NotFound
    return finding


def list_findings(
    actor: Actor,
    *,
    dataset_id: str | None = None,
    release_id: str | None = None,
    state: FindingState | None = None,
    level: Level | None = None,
    cursor: str | None = None,
    size: int = SIZE_DEFAULT,
) -> Page[PrivacyFinding]:
    """Return findings in one's own files, newest first; overseers see all."""
    statement = _narrowed(select(PrivacyFinding), dataset_id, release_id)
    if not actor.oversees:
        owned = select(Dataset.id).where(Dataset.organization_id == actor.organization_id)
        statement = statement.where(PrivacyFinding.dataset_id.in_(owned))
    if state is not None:
        statement = statement.where(PrivacyFinding.state == state)
    if level is not None:
        statement = statement.where(PrivacyFinding.level == level)
    after = decode_cursor(cursor, 1)
    if after:
        statement = statement.where(PrivacyFinding.id < storable(str(after[0])))
    rows = db.session.scalars(statement.order_by(PrivacyFinding.id.desc()).limit(size + 1)).all()
    return cut(rows, size, lambda row: [row.id])


def _narrowed(
    statement: Select[PrivacyFinding], dataset_id: str | None, release_id: str | None
) -> Select[PrivacyFinding]:
    if dataset_id is not None:
        statement = statement.where(PrivacyFinding.dataset_id == storable(dataset_id))
    if release_id is not None:
        files = select(File.id).where(File.release_id == storable(release_id))
        statement = statement.where(PrivacyFinding.file_id.in_(files))
    return statement


def findings_of(release_id: str) -> Sequence[PrivacyFinding]:
    """Return all findings in the files of a release."""
    return db.session.scalars(_narrowed(select(PrivacyFinding), None, release_id).order_by(PrivacyFinding.id)).all()


def is_settled(release_id: str) -> bool:
    """Tell whether nothing that was found in the files of a release waits for anybody."""
    return all(one.state in {FindingState.NOTED, FindingState.SETTLED} for one in findings_of(release_id))


def columns_found(file_ids: Collection[str]) -> dict[str, list[ColumnFound]]:
    """Return, by file, the columns in which something of people was found on the whole file, other than notes.

    No value of them is shown. What people settled as a false alarm is not among them, except what no word lifts.
    """
    row = PrivacyFinding
    settled = and_(row.state == FindingState.SETTLED, row.answer == Answer.FALSE_ALARM, row.kind.not_in(NEVER_LIFTED))
    found = select(row.file_id, row.column_name, row.place, row.kind).where(
        row.file_id.in_(file_ids), row.level != Level.NOTE, row.place > 0, ~settled
    )
    columns: dict[str, list[ColumnFound]] = {}
    for file_id, name, place, kind in db.session.execute(found.order_by(row.file_id, row.place, row.kind)):
        columns.setdefault(file_id, []).append(ColumnFound(name, place, kind))
    return columns


def columns_of_people(file_id: str) -> set[str]:
    """Return the columns of a file in which anything of people was found, be it a note; a plain postal code is none."""
    row = PrivacyFinding
    is_place = and_(row.kind == Kind.POSTAL_CODE, row.level == Level.NOTE)
    return set(db.session.scalars(select(row.column_name).where(row.file_id == file_id, ~is_place)))


def inspections_of(release_id: str) -> dict[str, FileInspection]:
    """Return the inspections of a release's files, by file."""
    files = select(File.id).where(File.release_id == storable(release_id))
    found = db.session.scalars(select(FileInspection).where(FileInspection.file_id.in_(files)))
    return {inspection.file_id: inspection for inspection in found}


def uninspected_file_ids(size: int = 500) -> list[str]:
    """Return files of living drafts that were profiled and not looked through yet."""
    waiting = (
        select(File.id)
        .join(Release, Release.id == File.release_id)
        .outerjoin(FileInspection, FileInspection.file_id == File.id)
        .where(
            Release.state == ReleaseState.DRAFT,
            File.profile_state != "pending",
            FileInspection.file_id.is_(None),
        )
    )
    return list(db.session.scalars(waiting.order_by(File.id).limit(size)))


def is_blocked(sha256: str) -> bool:
    """Tell whether My Numbers were found in these bytes before."""
    return db.session.get(BlockedContent, storable(sha256)) is not None


def blocked_among(sha256s: Collection[str]) -> set[str]:
    """Return those of these contents in which My Numbers were found."""
    return set(db.session.scalars(select(BlockedContent.sha256).where(BlockedContent.sha256.in_(list(sha256s)))))


def holds_my_numbers(file_id: str) -> bool:
    """Tell whether a file is refused for good, and has given its room back."""
    blocked = (PrivacyFinding.file_id == file_id, PrivacyFinding.level == Level.BLOCKED)
    return db.session.scalar(select(PrivacyFinding.id).where(*blocked).limit(1)) is not None


def find_statement(dataset_id: str) -> PrivacyStatement | None:
    """Return what its provider states of the people in a dataset, or None."""
    statement = select(PrivacyStatement).where(PrivacyStatement.dataset_id == storable(dataset_id))
    return db.session.scalar(statement.execution_options(populate_existing=True))


def holds_personal_data(dataset_id: str) -> bool:
    """Tell whether a finding in a published or draft file of a dataset was answered with a lawful basis."""
    answered = (
        select(PrivacyFinding.id)
        .join(File, File.id == PrivacyFinding.file_id)
        .join(Release, Release.id == File.release_id)
        .where(
            PrivacyFinding.dataset_id == storable(dataset_id),
            PrivacyFinding.answer == Answer.LAWFUL_BASIS,
            Release.state != ReleaseState.WITHDRAWN,
        )
    )
    return db.session.scalar(answered.limit(1)) is not None
