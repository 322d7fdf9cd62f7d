"""Contents that may be nobody's any more, and the indexes by which one sees who still needs them."""

import sqlalchemy as sa
from alembic import op

revision = "0076"
down_revision = "0075"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    _table()
    for column in ("sha256", "due_at"):
        op.create_index(f"ix_content_disposal_{column}", "content_disposal", [column])
    named = {"unique": True, "postgresql_where": sa.text("file_id IS NOT NULL")}
    op.create_index("ix_content_disposal_file_id", "content_disposal", ["file_id"], **named)
    op.create_index("ix_conversion_sha256", "conversion", ["sha256"])
    op.create_index("ix_traced_copy_sha256", "traced_copy", ["sha256"])


def downgrade() -> None:
    """Drop; bytes that waited to be removed stay in the store."""
    op.drop_index("ix_traced_copy_sha256", table_name="traced_copy")
    op.drop_index("ix_conversion_sha256", table_name="conversion")
    op.drop_table("content_disposal")


def _table() -> None:
    checks = {
        "reason": "reason IN ('arrived', 'removed', 'refused', 'derived')",
        "sha256": "sha256 ~ '^[0-9a-f]{64}$'",
        "owner": "num_nonnulls(file_id, dataset_id, organization_id) IN (0, 3)",
    }
    op.create_table(
        "content_disposal",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("id", "sha256", "reason")),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("file_id", "dataset_id", "organization_id")),
        *(sa.Column(name, sa.DateTime(timezone=True), nullable=False) for name in ("asked_at", "due_at")),
        sa.PrimaryKeyConstraint("id", name="pk_content_disposal"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_content_disposal_dataset_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_content_disposal_organization_id"),
        *(sa.CheckConstraint(rule, name=f"ck_content_disposal_{name}") for name, rule in checks.items()),
    )
