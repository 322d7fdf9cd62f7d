"""The tables of the catalogue: datasets, releases, files, their public listings, and what waits for search."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.catalog.profile_form import FORM
from marketplace.kit.db import Model


class Dataset(Model):
    """What a provider describes; ``source`` holds the foreign record it was imported from, whole.

    ``key_columns`` are those by which a row of its tables is known from one release to the next; at
    ``assessment_url`` lies its privacy impact assessment. ``audience`` is the private group to which alone it is
    listed, None for everybody. ``dictionary`` is what its provider says of its columns.
    """

    __tablename__ = "dataset"
    __table_args__ = (
        CheckConstraint("state IN ('draft', 'published', 'withdrawn')", name="state"),
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint("title_ja <> '' OR title_en <> ''", name="title"),
        CheckConstraint("jsonb_typeof(themes) = 'array' AND themes <> '[]'", name="themes"),
        CheckConstraint("region = 'JP' OR region ~ '^[0-9]{6}$'", name="region"),
        CheckConstraint("jsonb_typeof(key_columns) = 'array'", name="key_columns"),
        CheckConstraint("jsonb_typeof(high_value_categories) = 'array'", name="high_value_categories"),
        CheckConstraint("jsonb_typeof(dictionary) = 'array'", name="dictionary"),
        CheckConstraint("trust_required IN ('verified', 'qualified')", name="trust_required"),
        CheckConstraint("assurance_required IN ('aal1', 'aal2', 'aal3')", name="assurance_required"),
        UniqueConstraint("organization_id", "origin_id"),
        ForeignKeyConstraint(["audience", "organization_id"], ["private_group.id", "private_group.organization_id"]),
        Index("ix_dataset_audience", "audience", postgresql_where=text("audience IS NOT NULL")),
        Index("ix_dataset_organization_id_id", "organization_id", "id"),
        Index("ix_dataset_keywords", "keywords", postgresql_using="gin", postgresql_ops={"keywords": "jsonb_path_ops"}),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    state: Mapped[str]
    version: Mapped[int] = mapped_column(Integer)
    title_ja: Mapped[str]
    title_en: Mapped[str]
    description_ja: Mapped[str]
    description_en: Mapped[str]
    themes: Mapped[list[str]]
    region: Mapped[str]
    language: Mapped[str]
    contact_name: Mapped[str]
    contact_url: Mapped[str]
    contact_email: Mapped[str]
    update_frequency: Mapped[str]
    keywords: Mapped[list[str]]
    key_columns: Mapped[list[str]] = mapped_column(server_default=text("'[]'"))
    high_value_categories: Mapped[list[str]] = mapped_column(server_default=text("'[]'"))
    assessment_url: Mapped[str] = mapped_column(server_default="")
    dictionary: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))
    licence_hint: Mapped[str | None]
    trust_required: Mapped[str | None]
    assurance_required: Mapped[str | None]
    audience: Mapped[str | None]
    origin_id: Mapped[str | None]
    source: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    published_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]


class Release(Model):
    """One version of a dataset's files; sealed by a trigger once it is no draft.

    ``formats`` and ``column_names`` are those of all its files, gathered when it is published.
    """

    __tablename__ = "release"
    __table_args__ = (
        CheckConstraint("state IN ('draft', 'published', 'withdrawn')", name="state"),
        CheckConstraint("state <> 'published' OR published_at IS NOT NULL", name="published_at"),
        UniqueConstraint("dataset_id", "label"),
        Index("ix_release_dataset_id_id", "dataset_id", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"))
    label: Mapped[str]
    notes: Mapped[str]
    state: Mapped[str]
    created_at: Mapped[datetime]
    published_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
    formats: Mapped[list[str]] = mapped_column(deferred=True, server_default=text("'[]'"))
    column_names: Mapped[list[str]] = mapped_column(deferred=True, server_default=text("'[]'"))


class File(Model):
    """One file of a release; its identity is ``sha256``. ``name_key`` makes lookalike names one.

    One with an ``origin_url`` stays with its provider: hash and size are what the provider declared. ``profile_form``
    says how much its profile tells: more since later versions look again.
    """

    __tablename__ = "file"
    __table_args__ = (
        CheckConstraint("profile_state IN ('pending', 'profiled', 'opaque', 'failed')", name="profile_state"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256"),
        CheckConstraint("size_bytes >= 0", name="size_bytes"),
        CheckConstraint("origin_url LIKE 'https://%'", name="origin_url"),
        CheckConstraint("origin_url IS NULL OR profile_state = 'opaque'", name="origin_opaque"),
        UniqueConstraint("release_id", "name_key"),
        Index("ix_file_sha256", "sha256"),
        Index("ix_file_profile_form_id", "profile_form", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    release_id: Mapped[str] = mapped_column(ForeignKey("release.id"))
    name: Mapped[str]
    name_key: Mapped[str]
    media_type: Mapped[str]
    sha256: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    received_at: Mapped[datetime]
    profile_state: Mapped[str]
    profile: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    profiled_at: Mapped[datetime | None]
    profile_form: Mapped[int] = mapped_column(Integer, default=FORM)
    origin_url: Mapped[str | None]

    @property
    def held_by(self) -> str:
        """Who has the bytes."""
        return "exchange" if self.origin_url is None else "provider"


class Listing(Model):
    """The public document of a dataset, materialised so that the catalogue is read without joins."""

    __tablename__ = "listing"
    __table_args__ = (Index("ix_listing_updated_at_dataset_id", "updated_at", "dataset_id"),)

    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    document: Mapped[dict[str, Any]]
    updated_at: Mapped[datetime]


class ListingDeparture(Model):
    """That everybody saw a dataset once and does not now, and since when; of one that came back there is no row."""

    __tablename__ = "listing_departure"
    __table_args__ = (Index("ix_listing_departure_left_at_dataset_id", "left_at", "dataset_id"),)

    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    left_at: Mapped[datetime]


class PrivateListing(Model):
    """The document of a dataset that is listed to a private group alone.

    It stands apart, so that no reading of ``listing`` that knows nothing of groups can ever tell of it.
    """

    __tablename__ = "private_listing"
    __table_args__ = (
        # The index goes by the document, the database by the column: they cannot differ.
        CheckConstraint("document ->> 'audience' IS NOT DISTINCT FROM group_id", name="audience"),
        Index("ix_private_listing_group_id", "group_id"),
    )

    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    group_id: Mapped[str] = mapped_column(ForeignKey("private_group.id"))
    document: Mapped[dict[str, Any]]
    updated_at: Mapped[datetime]


class SearchWaiting(Model):
    """A dataset whose listing changed and that the search index has yet to follow; each change gives a new number."""

    __tablename__ = "search_waiting"
    __table_args__ = (Index("ix_search_waiting_sequence", "sequence", postgresql_where=text("refused_at IS NULL")),)

    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, Identity())
    refused_at: Mapped[datetime | None]


class SearchChange(Model):
    """In which transaction the listing of a dataset changed last: what indexes of other machines go by."""

    __tablename__ = "search_change"
    __table_args__ = (Index("ix_search_change_changed_in_dataset_id", "changed_in", "dataset_id"),)

    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    changed_in: Mapped[int] = mapped_column(BigInteger)


class Conversion(Model):
    """The Parquet made of a tabular content, once for all files of that content; ``sha256`` names its bytes.

    It may be the content itself, where that is such Parquet. ``columns`` are its names and types, ``problem`` says in
    the words of a profile why there is none.
    """

    __tablename__ = "conversion"
    __table_args__ = (
        CheckConstraint("state IN ('pending', 'done', 'failed')", name="state"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256"),
        CheckConstraint("size_bytes >= 0 AND rows >= 0", name="counts"),
        CheckConstraint(
            "num_nonnulls(sha256, size_bytes, rows, columns) = CASE state WHEN 'done' THEN 4 ELSE 0 END", name="done"
        ),
        CheckConstraint("(problem IS NOT NULL) = (state = 'failed')", name="failed"),
        CheckConstraint("(finished_at IS NULL) = (state = 'pending')", name="finished_at"),
        Index("ix_conversion_sha256", "sha256"),
        Index("ix_conversion_asked_at_pending", "asked_at", postgresql_where=text("state = 'pending'")),
    )

    source_sha256: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    sha256: Mapped[str | None]
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    rows: Mapped[int | None] = mapped_column(BigInteger)
    columns: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))
    problem: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    asked_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
