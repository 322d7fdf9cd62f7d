"""Where the files of foreign records lie, and whether they still lead somewhere."""

import sqlalchemy as sa
from alembic import op

revision = "0067"
down_revision = "0066"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    states = "'unchecked', 'alive', 'guarded', 'failing', 'dead'"
    op.create_table(
        "dataset_link",
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(f"state IN ({states})", name="ck_dataset_link_state"),
        sa.CheckConstraint("(failures >= 2) = (state = 'dead')", name="ck_dataset_link_failures"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_dataset_link_dataset_id"),
        sa.PrimaryKeyConstraint("dataset_id", "digest", name="pk_dataset_link"),
    )
    op.create_index("ix_dataset_link_next_at", "dataset_link", ["next_at"])
    dead = sa.text("state = 'dead'")
    op.create_index("ix_dataset_link_dataset_id_dead", "dataset_link", ["dataset_id"], postgresql_where=dead)


def downgrade() -> None:
    """Drop; nothing is looked at any more."""
    op.drop_table("dataset_link")
