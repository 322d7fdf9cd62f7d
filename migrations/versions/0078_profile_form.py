"""How much the profile of a file tells: those of before are looked into again."""

import sqlalchemy as sa
from alembic import op

revision = "0078"
down_revision = "0077"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add; what there is so far was told in the first form."""
    op.add_column("file", sa.Column("profile_form", sa.Integer(), nullable=False, server_default="1"))
    op.alter_column("file", "profile_form", server_default=None)
    op.create_index("ix_file_profile_form_id", "file", ["profile_form", "id"])


def downgrade() -> None:
    """Drop."""
    op.drop_index("ix_file_profile_form_id", "file")
    op.drop_column("file", "profile_form")
