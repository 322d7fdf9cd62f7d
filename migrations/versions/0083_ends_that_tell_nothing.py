"""Groups that ended while withdrawn datasets name them, citations of one address by several, letters that one can end."""

import sqlalchemy as sa
from alembic import op

revision = "0083"
down_revision = "0082"
branch_labels = None
depends_on = None
# Of several of one address the one that is shown stays, or else the first.
_ONE_OF_EACH = """
DELETE FROM citation c USING citation other
 WHERE other.dataset_id = c.dataset_id AND other.url = c.url AND other.id <> c.id
   AND (other.state = 'shown', c.id) > (c.state = 'shown', other.id)
"""


def upgrade() -> None:
    """Create."""
    op.add_column("private_group", sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("mail", sa.Column("unsubscribe", sa.Text(), nullable=True))
    op.drop_constraint("uq_citation_dataset_id_url", "citation", type_="unique")
    columns = ["dataset_id", "organization_id", "url"]
    op.create_unique_constraint("uq_citation_dataset_id_organization_id_url", "citation", columns)
    shown = {"unique": True, "postgresql_where": sa.text("state = 'shown'")}
    op.create_index("uq_citation_shown", "citation", ["dataset_id", "url"], **shown)


def downgrade() -> None:
    """Drop; a group that had ended is there again without members, and of citations of one address one is left."""
    op.drop_index("uq_citation_shown", table_name="citation")
    op.drop_constraint("uq_citation_dataset_id_organization_id_url", "citation", type_="unique")
    op.execute(_ONE_OF_EACH)
    op.create_unique_constraint("uq_citation_dataset_id_url", "citation", ["dataset_id", "url"])
    op.drop_column("mail", "unsubscribe")
    op.drop_column("private_group", "ended_at")
