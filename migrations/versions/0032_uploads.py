"""Uploads in pieces, and how much room each provider takes."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create, with the room that providers take already."""
    _create_upload()
    _create_provider_storage()
    op.execute(
        "INSERT INTO provider_storage (organization_id, stored_bytes, reserved_bytes, uploads_open)"
        " SELECT d.organization_id, sum(f.size_bytes), 0, 0 FROM file f JOIN release r ON r.id = f.release_id"
        " JOIN dataset d ON d.id = r.dataset_id GROUP BY d.organization_id"
    )


def _create_upload() -> None:
    op.create_table(
        "upload",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("release_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("announced", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("offset_bytes", sa.BigInteger(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("file_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="ck_upload_sha256"),
        sa.CheckConstraint("0 <= offset_bytes AND offset_bytes <= size_bytes", name="ck_upload_offset_bytes"),
        sa.CheckConstraint(
            "(file_id IS NULL) = (offset_bytes < size_bytes) OR size_bytes = 0", name="ck_upload_file_id"
        ),
        sa.ForeignKeyConstraint(["release_id"], ["release.id"], name="fk_upload_release_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_upload_organization_id"),
        sa.ForeignKeyConstraint(["file_id"], ["file.id"], name="fk_upload_file_id"),
        sa.PrimaryKeyConstraint("id", name="pk_upload"),
    )
    op.create_index("ix_upload_release_id_id", "upload", ["release_id", "id"])
    op.create_index("ix_upload_expires_at", "upload", ["expires_at"])
    op.create_index("ix_upload_part", "upload", ["part"], unique=True)


def _create_provider_storage() -> None:
    op.create_table(
        "provider_storage",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("stored_bytes", sa.BigInteger(), nullable=False),
        sa.Column("reserved_bytes", sa.BigInteger(), nullable=False),
        sa.Column("uploads_open", sa.Integer(), nullable=False),
        sa.CheckConstraint("stored_bytes >= 0", name="ck_provider_storage_stored_bytes"),
        sa.CheckConstraint("reserved_bytes >= 0", name="ck_provider_storage_reserved_bytes"),
        sa.CheckConstraint("uploads_open >= 0", name="ck_provider_storage_uploads_open"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_provider_storage_organization_id"),
        sa.PrimaryKeyConstraint("organization_id", name="pk_provider_storage"),
    )


def downgrade() -> None:
    """Drop; what is on its way must be sent again."""
    op.drop_table("provider_storage")
    op.drop_table("upload")
