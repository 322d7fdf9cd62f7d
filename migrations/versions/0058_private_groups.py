"""Private groups: who is in them, and the listings that they alone see."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    op.create_table(
        "private_group",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("name_ja", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("name_ja <> '' OR name_en <> ''", name="ck_private_group_name"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_private_group_organization_id"),
        sa.PrimaryKeyConstraint("id", name="pk_private_group"),
        sa.UniqueConstraint("id", "organization_id", name="uq_private_group_id_organization_id"),
    )
    op.create_index("ix_private_group_organization_id", "private_group", ["organization_id"])
    op.create_table(
        "group_member",
        sa.Column("group_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('invited', 'member')", name="ck_group_member_state"),
        sa.ForeignKeyConstraint(["group_id"], ["private_group.id"], name="fk_group_member_group_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_group_member_organization_id"),
        sa.PrimaryKeyConstraint("group_id", "organization_id", name="pk_group_member"),
    )
    op.create_index("ix_group_member_organization_id", "group_member", ["organization_id"])
    _listings()


def _listings() -> None:
    op.add_column("dataset", sa.Column("audience", sa.Text(), nullable=True))
    of_group = (["audience", "organization_id"], ["id", "organization_id"])
    op.create_foreign_key("fk_dataset_audience", "dataset", "private_group", *of_group)
    op.create_index("ix_dataset_audience", "dataset", ["audience"], postgresql_where=sa.text("audience IS NOT NULL"))
    op.create_table(
        "private_listing",
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("group_id", sa.Text(), nullable=False),
        sa.Column("document", postgresql.JSONB(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("document ->> 'audience' IS NOT DISTINCT FROM group_id", name="ck_private_listing_audience"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_private_listing_dataset_id"),
        sa.ForeignKeyConstraint(["group_id"], ["private_group.id"], name="fk_private_listing_group_id"),
        sa.PrimaryKeyConstraint("dataset_id", name="pk_private_listing"),
    )
    op.create_index("ix_private_listing_group_id", "private_listing", ["group_id"])


def downgrade() -> None:
    """Drop; what was listed to a group is then listed to nobody, until its provider changes it."""
    op.drop_table("private_listing")
    op.drop_index("ix_dataset_audience", "dataset")
    op.drop_constraint("fk_dataset_audience", "dataset", type_="foreignkey")
    op.drop_column("dataset", "audience")
    op.drop_table("group_member")
    op.drop_table("private_group")
