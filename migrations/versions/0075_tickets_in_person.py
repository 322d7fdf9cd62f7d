"""Tickets of members who fetch in person, with a browser: no client asks for those."""

import sqlalchemy as sa
from alembic import op

revision = "0075"
down_revision = "0074"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let a member alone ask."""
    op.alter_column("ticket", "client_id", existing_type=sa.Text(), nullable=True)
    op.create_check_constraint("ck_ticket_asked_by", "ticket", "num_nonnulls(client_id, member_id) >= 1")


def downgrade() -> None:
    """Forget the tickets that no client asked for: they live for minutes."""
    op.drop_constraint("ck_ticket_asked_by", "ticket", type_="check")
    op.execute("DELETE FROM ticket WHERE client_id IS NULL")
    op.alter_column("ticket", "client_id", existing_type=sa.Text(), nullable=False)
