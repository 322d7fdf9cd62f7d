"""Tables of catalog."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# A release moves draft -> published -> withdrawn or draft -> withdrawn, and only a draft may go away.
SEAL_RELEASE = """
CREATE FUNCTION seal_release() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'draft' THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'release % is %: it cannot be deleted', OLD.id, OLD.state USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NOT (NEW.state = OLD.state OR (OLD.state = 'published' AND NEW.state = 'withdrawn'))
       OR (NEW.id, NEW.dataset_id, NEW.label, NEW.notes, NEW.created_at)
          IS DISTINCT FROM (OLD.id, OLD.dataset_id, OLD.label, OLD.notes, OLD.created_at)
       OR NEW.published_at IS DISTINCT FROM OLD.published_at THEN
        RAISE EXCEPTION 'release % is %: it cannot be changed', OLD.id, OLD.state USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$
"""
# FOR SHARE waits for a publication in progress and then sees it; a mere foreign key would not.
SEAL_FILE = """
CREATE FUNCTION seal_file() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    held text;
BEGIN
    IF TG_OP = 'UPDATE'
       AND (NEW.id, NEW.release_id, NEW.name, NEW.name_key, NEW.media_type, NEW.sha256, NEW.size_bytes, NEW.received_at)
           IS NOT DISTINCT FROM
           (OLD.id, OLD.release_id, OLD.name, OLD.name_key, OLD.media_type, OLD.sha256, OLD.size_bytes, OLD.received_at) THEN
        RETURN NEW;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        SELECT state INTO held FROM release WHERE id = OLD.release_id FOR SHARE;
        IF held <> 'draft' THEN
            RAISE EXCEPTION 'release % is %: its files are sealed', OLD.release_id, held USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    SELECT state INTO held FROM release WHERE id = NEW.release_id FOR SHARE;
    IF held <> 'draft' THEN
        RAISE EXCEPTION 'release % is %: its files are sealed', NEW.release_id, held USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$
"""


def upgrade() -> None:
    """Create."""
    _create_dataset()
    _create_release()
    _create_file()
    _create_listing()
    op.execute(SEAL_RELEASE)
    op.execute(SEAL_FILE)
    op.execute(
        "CREATE TRIGGER seal_release BEFORE UPDATE OR DELETE ON release FOR EACH ROW EXECUTE FUNCTION seal_release()"
    )
    op.execute(
        "CREATE TRIGGER seal_file BEFORE INSERT OR UPDATE OR DELETE ON file FOR EACH ROW EXECUTE FUNCTION seal_file()"
    )


def _create_dataset() -> None:
    op.create_table(
        "dataset",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title_ja", sa.Text(), nullable=False),
        sa.Column("title_en", sa.Text(), nullable=False),
        sa.Column("description_ja", sa.Text(), nullable=False),
        sa.Column("description_en", sa.Text(), nullable=False),
        sa.Column("theme", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("contact_name", sa.Text(), nullable=False),
        sa.Column("contact_url", sa.Text(), nullable=False),
        sa.Column("contact_email", sa.Text(), nullable=False),
        sa.Column("update_frequency", sa.Text(), nullable=False),
        sa.Column("keywords", postgresql.JSONB(), nullable=False),
        sa.Column("licence_hint", sa.Text(), nullable=True),
        sa.Column("origin_id", sa.Text(), nullable=True),
        sa.Column("source", postgresql.JSONB(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_dataset"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_dataset_organization_id"),
        sa.UniqueConstraint("organization_id", "origin_id", name="uq_dataset_organization_id_origin_id"),
        sa.CheckConstraint("state IN ('draft', 'published', 'withdrawn')", name="ck_dataset_state"),
        sa.CheckConstraint("version >= 1", name="ck_dataset_version"),
        sa.CheckConstraint("title_ja <> '' OR title_en <> ''", name="ck_dataset_title"),
        sa.CheckConstraint("region = 'JP' OR region ~ '^[0-9]{6}$'", name="ck_dataset_region"),
    )
    op.create_index("ix_dataset_organization_id_id", "dataset", ["organization_id", "id"])


def _create_release() -> None:
    op.create_table(
        "release",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_release"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_release_dataset_id"),
        sa.UniqueConstraint("dataset_id", "label", name="uq_release_dataset_id_label"),
        sa.CheckConstraint("state IN ('draft', 'published', 'withdrawn')", name="ck_release_state"),
        sa.CheckConstraint("state <> 'published' OR published_at IS NOT NULL", name="ck_release_published_at"),
    )
    op.create_index("ix_release_dataset_id_id", "release", ["dataset_id", "id"])


def _create_file() -> None:
    op.create_table(
        "file",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("release_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("profile_state", sa.Text(), nullable=False),
        sa.Column("profile", postgresql.JSONB(), nullable=True),
        sa.Column("profiled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_file"),
        sa.ForeignKeyConstraint(["release_id"], ["release.id"], name="fk_file_release_id"),
        sa.UniqueConstraint("release_id", "name_key", name="uq_file_release_id_name_key"),
        sa.CheckConstraint(
            "profile_state IN ('pending', 'profiled', 'opaque', 'failed')", name="ck_file_profile_state"
        ),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="ck_file_sha256"),
        sa.CheckConstraint("size_bytes >= 0", name="ck_file_size_bytes"),
    )
    op.create_index("ix_file_sha256", "file", ["sha256"])


def _create_listing() -> None:
    op.create_table(
        "listing",
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("document", postgresql.JSONB(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("dataset_id", name="pk_listing"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_listing_dataset_id"),
    )


def downgrade() -> None:
    """Drop."""
    for table in ("listing", "file", "release", "dataset"):
        op.drop_table(table)
    op.execute("DROP FUNCTION seal_file()")
    op.execute("DROP FUNCTION seal_release()")
