"""A dataset belongs to one theme or to several."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

# Public documents say it too; their time is renewed, so that nobody is told that his copy is still the newest.
LIST_SHOWN = """
UPDATE listing SET updated_at = now(),
    document = document - 'theme' || jsonb_build_object('themes', jsonb_build_array(document -> 'theme'))
WHERE document ? 'theme'
"""
SHOW_FIRST = """
UPDATE listing SET updated_at = now(),
    document = document - 'themes' || jsonb_build_object('theme', document -> 'themes' -> 0)
WHERE document ? 'themes'
"""


def upgrade() -> None:
    """Make a list of the one theme that each dataset has."""
    op.add_column("dataset", sa.Column("themes", JSONB, nullable=True))
    op.execute("UPDATE dataset SET themes = jsonb_build_array(theme)")
    op.alter_column("dataset", "themes", nullable=False)
    op.create_check_constraint("ck_dataset_themes", "dataset", "jsonb_typeof(themes) = 'array' AND themes <> '[]'")
    op.drop_column("dataset", "theme")
    op.execute(LIST_SHOWN)


def downgrade() -> None:
    """Keep the first theme of each dataset."""
    op.execute(SHOW_FIRST)
    op.add_column("dataset", sa.Column("theme", sa.Text, nullable=True))
    op.execute("UPDATE dataset SET theme = themes ->> 0")
    op.alter_column("dataset", "theme", nullable=False)
    op.drop_constraint("ck_dataset_themes", "dataset")
    op.drop_column("dataset", "themes")
