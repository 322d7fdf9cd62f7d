"""How providers hear of new data requests."""

import sqlalchemy as sa
from alembic import op

revision = "0084"
down_revision = "0083"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    op.create_table(
        "provider_telling",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("wants_letters", sa.Boolean(), nullable=False),
        sa.Column("told_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_provider_telling_organization_id"),
        sa.PrimaryKeyConstraint("organization_id", name="pk_provider_telling"),
    )


def downgrade() -> None:
    """Drop; who wanted no letters is forgotten with it."""
    op.drop_table("provider_telling")
