"""More limits: rows, requests, and downloads at once, in offers and in what is gone of them."""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

LIMITS = ("limit_rows", "limit_requests", "limit_streams")
COUNTS = ("used_rows", "reserved_rows", "used_requests", "open_deliveries")
CHECKS = {
    "more_counts": "used_rows >= 0 AND reserved_rows >= 0 AND used_requests >= 0 AND open_deliveries >= 0",
    "rows": "used_rows + reserved_rows <= limit_rows",
    "requests": "used_requests + open_deliveries <= limit_requests",
    "streams": "open_deliveries <= limit_streams",
}
QUOTAS = ("quota_rows", "quota_requests", "quota_streams")
# What was used under grants without such limits, and what runs at this moment.
FILL = """
UPDATE quota q SET used_rows = u.rows, used_requests = u.requests, open_deliveries = u.open
  FROM (SELECT grant_id,
               coalesce((SELECT sum(rows_new) FROM usage_event e WHERE e.grant_id = quota.grant_id), 0) AS rows,
               coalesce((SELECT sum(requests) FROM usage_event e WHERE e.grant_id = quota.grant_id), 0) AS requests,
               (SELECT count(*) FROM delivery d WHERE d.grant_id = quota.grant_id AND d.state = 'open') AS open
          FROM quota) AS u
 WHERE u.grant_id = q.grant_id
"""


def upgrade() -> None:
    """Add; nothing that was sold before has such a limit."""
    for name in QUOTAS:
        op.add_column("offer", sa.Column(name, sa.BigInteger(), nullable=True))
        op.create_check_constraint(f"ck_offer_{name}", "offer", f"{name} > 0")
    for name in LIMITS:
        op.add_column("quota", sa.Column(name, sa.BigInteger(), nullable=True))
    for name in COUNTS:
        op.add_column("quota", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
        op.alter_column("quota", name, server_default=None)
    op.execute(FILL)
    for name, condition in CHECKS.items():
        op.create_check_constraint(f"ck_quota_{name}", "quota", condition)
    op.add_column("delivery", sa.Column("reserved_rows", sa.BigInteger(), nullable=False, server_default="0"))
    op.alter_column("delivery", "reserved_rows", server_default=None)
    op.create_check_constraint("ck_delivery_reserved_rows", "delivery", "reserved_rows >= 0")


def downgrade() -> None:
    """Take away; limits that were sold bind nobody any more."""
    op.drop_column("delivery", "reserved_rows")
    for name in CHECKS:
        op.drop_constraint(f"ck_quota_{name}", "quota", type_="check")
    for name in (*LIMITS, *COUNTS):
        op.drop_column("quota", name)
    for name in QUOTAS:
        op.drop_column("offer", name)
