"""Tickets of agents: what a budget has set aside for one."""

import sqlalchemy as sa
from alembic import op

revision = "0077"
down_revision = "0076"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; tickets that there are were issued to no agents."""
    op.add_column("ticket", sa.Column("agent_yen", sa.BigInteger(), nullable=True))
    op.create_check_constraint("ck_ticket_agent_yen", "ticket", "agent_yen >= 0")


def downgrade() -> None:
    """Drop the column; tickets of agents, which live for minutes, end, since nothing would bound them any more."""
    op.execute("DELETE FROM ticket WHERE agent_yen IS NOT NULL")
    op.drop_constraint("ck_ticket_agent_yen", "ticket")
    op.drop_column("ticket", "agent_yen")
