"""Reads of the catalogue."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Select, func, or_, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import InstrumentedAttribute

from marketplace.catalog import rules
from marketplace.catalog.models import Dataset, File, Release
from marketplace.catalog.profile_form import FORM
from marketplace.catalog.states import DatasetState, ProfileState, ReleaseState
from marketplace.identity.actors import Actor
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import STEM_LENGTH
from marketplace.kit.pages import SIZE_DEFAULT, Page, cut, decode_cursor
from marketplace.kit.texts import storable

Row = TypeVar("Row", Dataset, Release)
Found = TypeVar("Found", Dataset, Release, File)
# In the database: the profiles of a release's files are many MiB, and a few words are wanted of them.
LIKE_MAX = 100
_FORMATS = text(
    "SELECT DISTINCT profile ->> 'format' FROM file WHERE release_id = :release_id AND profile ->> 'format' <> ''"
)
_COLUMN_NAMES = text("""
WITH turn AS (SELECT profile, row_number() OVER (ORDER BY name) AS turn FROM file WHERE release_id = :release_id)
SELECT name #>> '{}' FROM turn, jsonb_path_query(profile, '$.columns[*].name') WITH ORDINALITY AS found (name, place)
GROUP BY name ORDER BY min(ARRAY[turn, place]) LIMIT :size
""")
_TEXTS = text("""
SELECT name, jsonb_build_object('encoding', profile -> 'encoding', 'delimiter', profile -> 'delimiter',
       'odd', jsonb_path_query_array(profile, '$.warnings[*].code'),
       'era', jsonb_path_query_array(profile, '$.columns[*] ? (@.format == "era").name')) AS traits
  FROM file
 WHERE release_id = ANY(:release_ids) AND profile_state = 'profiled' AND profile ->> 'format' IN ('csv', 'tsv')
 ORDER BY name LIMIT :size
""").columns(traits=JSONB)
# Of several files with a column of one name the first that has values in it says its type.
_COLUMN_TYPES = text("""
WITH turn AS (
    SELECT profile, row_number() OVER (ORDER BY name) AS turn FROM file
    WHERE release_id = :release_id AND jsonb_typeof(profile -> 'columns') = 'array'
), named AS (
    SELECT one ->> 'name' AS name, one ->> 'type' AS type, turn, place
    FROM turn, jsonb_array_elements(profile -> 'columns') WITH ORDINALITY AS found (one, place)
)
SELECT name, coalesce((array_agg(type ORDER BY type = 'empty', turn, place))[1], 'empty') AS type
FROM named WHERE name IS NOT NULL GROUP BY name ORDER BY min(ARRAY[turn, place]) LIMIT :size
""")
_ROWS = text("""
SELECT release_id, sum((profile ->> 'rows')::bigint) AS rows FROM file
WHERE release_id = ANY(:release_ids) AND jsonb_typeof(profile -> 'rows') = 'number' GROUP BY release_id
""")


def find_dataset(dataset_id: str) -> Dataset | None:
    """Return the dataset in whatever state, or None."""
    return db.session.scalar(select(Dataset).where(Dataset.id == storable(dataset_id)))


def get_dataset(dataset_id: str) -> Dataset:
    """Return the dataset in whatever state, or raise NotFound."""
    return _present(find_dataset(dataset_id))


def find_datasets(dataset_ids: Collection[str]) -> dict[str, Dataset]:
    """Return those of these datasets that there are, in whatever state, by id."""
    return {dataset.id: dataset for dataset in db.session.scalars(select(Dataset).where(Dataset.id.in_(dataset_ids)))}


def get_own_dataset(actor: Actor, dataset_id: str) -> Dataset:
    """Return a dataset of the caller's organization; NotFound for all others."""
    dataset = get_dataset(dataset_id)
    if dataset.organization_id != actor.organization_id:
        raise NotFound
    return dataset


def get_visible_dataset(actor: Actor, dataset_id: str) -> Dataset:
    """Return a dataset that the caller owns or oversees; NotFound for all others."""
    dataset = get_dataset(dataset_id)
    if dataset.organization_id != actor.organization_id and not actor.oversees:
        raise NotFound
    return dataset


def get_origin(organization_id: str, origin_id: str) -> Dataset:
    """Return the dataset that an organization imported from a foreign record, or raise NotFound."""
    origin = Dataset.origin_id == storable(origin_id)
    return _present(db.session.scalar(select(Dataset).where(Dataset.organization_id == organization_id, origin)))


def list_datasets(
    *,
    organization_id: str | None = None,
    state: DatasetState | None = None,
    cursor: str | None = None,
    size: int = SIZE_DEFAULT,
) -> Page[Dataset]:
    """Return datasets, newest first, of one organization or of all."""
    statement = select(Dataset)
    if organization_id is not None:
        statement = statement.where(Dataset.organization_id == storable(organization_id))
    if state is not None:
        statement = statement.where(Dataset.state == state)
    return _page(statement, Dataset.id, cursor, size)


def get_release(release_id: str) -> Release:
    """Return the release in whatever state, or raise NotFound."""
    return _present(db.session.scalar(select(Release).where(Release.id == storable(release_id))))


def get_own_release(actor: Actor, release_id: str) -> Release:
    """Return a release of a dataset of the caller's organization; NotFound for all others."""
    release, dataset = _with_dataset(release_id)
    if dataset.organization_id != actor.organization_id:
        raise NotFound
    return release


def get_visible_release(actor: Actor, release_id: str) -> Release:
    """Return a release that the caller owns or oversees; NotFound for all others."""
    release, dataset = _with_dataset(release_id)
    if dataset.organization_id != actor.organization_id and not actor.oversees:
        raise NotFound
    return release


def find_release_by_label(dataset_id: str, label: str) -> Release | None:
    """Return the release of a dataset with this label, or None."""
    return db.session.scalar(
        select(Release).where(Release.dataset_id == storable(dataset_id), Release.label == storable(label))
    )


def list_releases(
    dataset_id: str,
    *,
    state: ReleaseState | None = None,
    cursor: str | None = None,
    size: int = SIZE_DEFAULT,
) -> Page[Release]:
    """Return the releases of a dataset, newest first."""
    statement = select(Release).where(Release.dataset_id == storable(dataset_id))
    if state is not None:
        statement = statement.where(Release.state == state)
    return _page(statement, Release.id, cursor, size)


def dataset_ids_like(stem: str) -> list[str]:
    """Return the datasets whose ids begin with these digits; none unless there are as many as tell them apart."""
    return _ids_like(Dataset.id, "ds", stem)


def release_ids_like(stem: str) -> list[str]:
    """Return the releases whose ids begin with these digits; none unless there are as many as tell them apart."""
    return _ids_like(Release.id, "rel", stem)


def _ids_like(column: Any, prefix: str, stem: str) -> list[str]:
    if len(stem) != STEM_LENGTH:
        return []
    ends = (f"{prefix}_{stem}{sign * (32 - STEM_LENGTH)}" for sign in "0f")
    return list(db.session.scalars(select(column).where(column.between(*ends)).order_by(column).limit(LIKE_MAX)))


def published_release_ids(dataset_id: str) -> list[str]:
    """Return the ids of the releases that the public may see, latest published first; none once it is withdrawn."""
    return list(
        db.session.scalars(
            select(Release.id)
            .join(Dataset, Dataset.id == Release.dataset_id)
            .where(
                Release.dataset_id == storable(dataset_id),
                Release.state == ReleaseState.PUBLISHED,
                Dataset.state == DatasetState.PUBLISHED,
            )
            .order_by(Release.published_at.desc(), Release.id.desc())
        )
    )


def last_published(dataset_ids: Sequence[str]) -> dict[str, datetime]:
    """Return when the newest release that the public sees of each of these datasets was published."""
    newest = select(Release.dataset_id, func.max(Release.published_at)).join(Dataset, Dataset.id == Release.dataset_id)
    shown = (Release.state == ReleaseState.PUBLISHED, Dataset.state == DatasetState.PUBLISHED)
    found = db.session.execute(newest.where(Release.dataset_id.in_(dataset_ids), *shown).group_by(Release.dataset_id))
    return {dataset_id: at for dataset_id, at in found if at is not None}


def release_ids_at(dataset_id: str, at: datetime) -> list[str]:
    """Return the ids of the releases that the public saw at that instant, latest published first."""
    return list(
        db.session.scalars(
            select(Release.id)
            .where(
                Release.dataset_id == storable(dataset_id),
                Release.published_at <= at,
                or_(Release.withdrawn_at.is_(None), Release.withdrawn_at > at),
            )
            .order_by(Release.published_at.desc(), Release.id.desc())
        )
    )


def find_file_by_id(file_id: str) -> File | None:
    """Return the file, or None."""
    return db.session.scalar(select(File).where(File.id == storable(file_id)))


def file_names(file_ids: Collection[str]) -> dict[str, str]:
    """Return what those of these files are called that there are, by id."""
    named = select(File.id, File.name).where(File.id.in_(file_ids))
    return {row.id: row.name for row in db.session.execute(named)}


def get_file(file_id: str) -> File:
    """Return the file, or raise NotFound."""
    return _present(find_file_by_id(file_id))


def find_profiled(sha256: str) -> File | None:
    """Return a file of that content whose profile is known, or None."""
    profiled = (File.sha256 == sha256, File.profile_state == ProfileState.PROFILED)
    return db.session.scalar(select(File).where(*profiled).order_by(File.id).limit(1))


def find_file(release_id: str, name: str) -> File | None:
    """Return the file of exactly this name in a release, or None."""
    return db.session.scalar(select(File).where(File.release_id == storable(release_id), File.name == storable(name)))


def find_lookalike(release_id: str, name_key: str) -> File | None:
    """Return the file of a release whose name has this key, or None."""
    return db.session.scalar(select(File).where(File.release_id == release_id, File.name_key == name_key))


def list_files(release_id: str, *, size: int = rules.FILES_PER_RELEASE_MAX) -> Sequence[File]:
    """Return the first files of a release by name; by default all of them."""
    statement = select(File).where(File.release_id == storable(release_id))
    return db.session.scalars(statement.order_by(File.name).limit(size)).all()


def page_files(release_id: str, *, cursor: str | None = None, size: int = SIZE_DEFAULT) -> Page[File]:
    """Return the files of a release by name, page by page."""
    statement = select(File).where(File.release_id == storable(release_id))
    after = decode_cursor(cursor, 1)
    if after:
        statement = statement.where(File.name > storable(str(after[0])))
    rows = db.session.scalars(statement.order_by(File.name).limit(size + 1)).all()
    return cut(rows, size, lambda row: [row.name])


def formats_in(release_id: str) -> list[str]:
    """Return the formats of a release's files, each once."""
    return sorted(db.session.scalars(_FORMATS, {"release_id": release_id}))


def column_names_in(release_id: str) -> list[str]:
    """Return the first column names of a release's files, each once, by file and place."""
    asked = {"release_id": release_id, "size": rules.COLUMN_NAMES_MAX}
    return list(db.session.scalars(_COLUMN_NAMES, asked))


def column_types_in(release_id: str) -> dict[str, str]:
    """Return the types of the first columns of a release's files by name, each once, by file and place."""
    asked = {"release_id": storable(release_id), "size": rules.COLUMN_NAMES_MAX}
    return {row.name: row.type for row in db.session.execute(_COLUMN_TYPES, asked)}


def rows_in(release_ids: Sequence[str]) -> dict[str, int]:
    """Return how many rows the files of these releases hold together, as far as they were counted."""
    return {row.release_id: int(row.rows) for row in db.session.execute(_ROWS, {"release_ids": list(release_ids)})}


def contents_of(release_ids: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the formats and the column names of these releases, each once, names in the order of the releases."""
    found = select(Release.id, Release.formats, Release.column_names).where(Release.id.in_(release_ids))
    rows = {row.id: row for row in db.session.execute(found)}
    named = (name for release_id in release_ids for name in rows[release_id].column_names)
    return sorted({one for row in rows.values() for one in row.formats}), list(dict.fromkeys(named))


def list_profiles(dataset_id: str, size: int = rules.FILES_PER_RELEASE_MAX) -> list[tuple[str, dict[str, Any]]]:
    """Return name and profile of the files of a dataset's releases that are not withdrawn, by name."""
    columns = ("embedded_license",)
    told = func.jsonb_build_object(*(part for name in columns for part in (name, File.profile[name])))
    of = (Release.dataset_id == dataset_id, Release.state != ReleaseState.WITHDRAWN)
    asked = select(File.name, told).join(Release, Release.id == File.release_id).where(*of)
    asked = asked.where(File.profile_state == ProfileState.PROFILED).order_by(File.name).limit(size)
    return [(row[0], row[1]) for row in db.session.execute(asked)]


def list_texts(dataset_id: str) -> list[tuple[str, dict[str, Any]]]:
    """Return name and traits of the tables of text in a dataset's newest published release, by name.

    Traits are encoding and delimiter, the codes of what is odd, and which columns hold days of eras.
    """
    newest = published_release_ids(dataset_id)[:1]
    asked = {"release_ids": newest, "size": rules.FILES_PER_RELEASE_MAX}
    return [(row.name, row.traits) for row in db.session.execute(_TEXTS, asked)] if newest else []


def datasets_of_same_content(dataset_id: str, organization_id: str, size: int = 5) -> list[str]:
    """Return other living datasets of an organization that hold a file with the bytes of one of this dataset's."""
    own = select(File.sha256).join(Release, Release.id == File.release_id).where(Release.dataset_id == dataset_id)
    asked = select(Release.dataset_id).join(File, File.release_id == Release.id)
    asked = asked.join(Dataset, Dataset.id == Release.dataset_id).where(File.sha256.in_(own), File.size_bytes > 0)
    others = (Dataset.organization_id == organization_id, Dataset.state != DatasetState.WITHDRAWN)
    asked = asked.where(*others, Release.dataset_id != dataset_id, Release.state != ReleaseState.WITHDRAWN)
    return list(db.session.scalars(asked.distinct().order_by(Release.dataset_id).limit(size)))


def count_files(release_id: str) -> int:
    """Return how many files a release holds."""
    return db.session.scalar(select(func.count()).select_from(File).where(File.release_id == release_id)) or 0


def unprofiled_file_ids(received_before: datetime, size: int = 1000) -> list[str]:
    """Return files of living drafts that came before that instant and still wait for their profile."""
    waiting = (
        select(File.id)
        .join(Release, Release.id == File.release_id)
        .where(
            File.profile_state == ProfileState.PENDING,
            Release.state == ReleaseState.DRAFT,
            File.received_at < received_before,
        )
    )
    return list(db.session.scalars(waiting.order_by(File.id).limit(size)))


def pending_file_names(release_id: str) -> list[str]:
    """Return the names of the files that are not profiled yet."""
    return list(
        db.session.scalars(
            select(File.name)
            .where(File.release_id == release_id, File.profile_state == ProfileState.PENDING)
            .order_by(File.name)
        )
    )


def uncounted_file_names(release_id: str) -> list[str]:
    """Return the names of the files whose rows the profiler did not count to their end."""
    rows = func.jsonb_typeof(File.profile["rows"])
    uncounted = (File.release_id == storable(release_id), rows.is_distinct_from("number"))
    return list(db.session.scalars(select(File.name).where(*uncounted).order_by(File.name)))


def _page(statement: Select[Row], key: InstrumentedAttribute[str], cursor: str | None, size: int) -> Page[Row]:
    after = decode_cursor(cursor, 1)
    if after:
        statement = statement.where(key < storable(str(after[0])))
    rows = db.session.scalars(statement.order_by(key.desc()).limit(size + 1)).all()
    return cut(rows, size, lambda row: [row.id])


def _with_dataset(release_id: str) -> tuple[Release, Dataset]:
    """Return a release and its dataset, or raise NotFound; where there is no release, as much is asked."""
    release = db.session.scalar(select(Release).where(Release.id == storable(release_id)))
    dataset = find_dataset(release.dataset_id if release else "")
    return _present(release), _present(dataset)


def _present(row: Found | None) -> Found:
    if row is None:
        raise NotFound
    return row


def behind_file_ids(size: int) -> list[str]:
    """Return published files held here of which an earlier version told less than is told now, newest first."""
    behind = select(File.id).join(Release, Release.id == File.release_id).where(*_BEHIND)
    return list(db.session.scalars(behind.order_by(File.id.desc()).limit(size)))


def is_behind(dataset_id: str) -> bool:
    """Tell whether any published file of a dataset is."""
    behind = select(File.id).join(Release, Release.id == File.release_id).where(*_BEHIND)
    return db.session.scalar(behind.where(Release.dataset_id == dataset_id).limit(1)) is not None


_BEHIND = (
    File.profile_form < FORM,
    File.profile_state == ProfileState.PROFILED,
    Release.state == ReleaseState.PUBLISHED,
    File.origin_url.is_(None),
)
