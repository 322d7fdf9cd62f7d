"""The sandbox keeps every kind of object that we use."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

FIRST = ("checkout.session", "payment_intent", "charge", "balance_transaction")
LATER = (
    "customer",
    "customer_cash_balance_transaction",
    "refund",
    "dispute",
    "transfer",
    "transfer_reversal",
    "payout",
)


def upgrade() -> None:
    """Admit the new kinds, find what hangs on an object, and what waits for its time."""
    _admit(FIRST + LATER)
    _due("status IN ('open', 'requires_action', 'in_transit')")
    op.create_index("ix_sandbox_object_parent_id", "sandbox_object", ["parent_id"])


def downgrade() -> None:
    """Forget the new kinds."""
    op.drop_index("ix_sandbox_object_parent_id", table_name="sandbox_object")
    op.execute(sa.text(f"DELETE FROM sandbox_object WHERE kind IN ({_texts(LATER)})"))
    _due("status = 'open'")
    _admit(FIRST)


def _admit(kinds: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_sandbox_object_kind"), "sandbox_object", type_="check")
    op.create_check_constraint(op.f("ck_sandbox_object_kind"), "sandbox_object", f"kind IN ({_texts(kinds)})")


def _due(condition: str) -> None:
    op.drop_index("ix_sandbox_object_expires_at", table_name="sandbox_object")
    op.create_index(
        "ix_sandbox_object_expires_at", "sandbox_object", ["expires_at"], postgresql_where=sa.text(condition)
    )


def _texts(values: tuple[str, ...]) -> str:
    return ", ".join(f"'{value}'" for value in values)
