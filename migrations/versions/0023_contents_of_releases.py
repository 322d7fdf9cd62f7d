"""Of all files of a release, what the catalogue searches: formats and names of columns."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

NAMES = ("formats", "column_names")
GATHER = """
UPDATE release r SET
    formats = (SELECT coalesce(jsonb_agg(format ORDER BY format), '[]') FROM (
        SELECT DISTINCT profile ->> 'format' AS format FROM file WHERE release_id = r.id AND profile ->> 'format' <> ''
    ) AS found),
    column_names = (SELECT coalesce(jsonb_agg(name ORDER BY first), '[]') FROM (
        SELECT name, min(ARRAY[turn, place]) AS first
        FROM (SELECT profile, row_number() OVER (ORDER BY name) AS turn FROM file WHERE release_id = r.id) AS turns,
            jsonb_path_query(profile, '$.columns[*].name') WITH ORDINALITY AS found (name, place)
        GROUP BY name ORDER BY first LIMIT 10000
    ) AS named)
WHERE state = 'published'
"""


def upgrade() -> None:
    """Gather them of what is published."""
    for name in NAMES:
        op.add_column("release", sa.Column(name, JSONB, nullable=False, server_default=sa.text("'[]'")))
    op.execute(GATHER)


def downgrade() -> None:
    """Forget them; listings keep what they say until they change."""
    for name in NAMES:
        op.drop_column("release", name)
