"""Wishes and trials pinned on orders; refunds of usage billed too high, and of money that paid nothing."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

RAILS = "rail_wished IN ('card', 'konbini', 'bank_transfer', 'invoice', 'outside')"
REASONS = "reason IN ('requested', 'cancellation', 'service_level', 'gateway'{})"
MORE = ", 'adjustment', 'unapplied'"

# A trial that was promised stays promised.
PIN_TRIALS = """
UPDATE purchase_order SET trial_days = coalesce((offer.price ->> 'trial_days')::int, 0)
FROM offer WHERE offer.id = purchase_order.offer_id
"""
# What the older form cannot say stops the way back: nobody may lose sight of money that went.
REFUSE_LOSS = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM refund WHERE reason IN ('adjustment', 'unapplied')) THEN
        RAISE EXCEPTION 'there are refunds that version 0019 cannot hold';
    END IF;
    IF EXISTS (SELECT FROM purchase_order o JOIN offer f ON f.id = o.offer_id
               WHERE o.trial_days <> coalesce((f.price ->> 'trial_days')::int, 0)) THEN
        RAISE EXCEPTION 'there are orders without the trial of their offer, which version 0019 would grant again';
    END IF;
END $$
"""


def upgrade() -> None:
    """Keep the wish and the trial with the order, and let refunds be of money that no invoice knows."""
    op.add_column("purchase_order", sa.Column("rail_wished", sa.Text, nullable=True))
    op.create_check_constraint("ck_purchase_order_rail_wished", "purchase_order", RAILS)
    op.add_column("purchase_order", sa.Column("trial_days", sa.Integer, nullable=True))
    op.execute(PIN_TRIALS)
    op.alter_column("purchase_order", "trial_days", nullable=False)
    op.create_check_constraint("ck_purchase_order_trial_days", "purchase_order", "trial_days >= 0")
    _give_reasons(MORE)
    op.alter_column("refund", "invoice_id", nullable=True)
    op.create_check_constraint("ck_refund_invoice", "refund", "(reason = 'unapplied') = (invoice_id IS NULL)")


def downgrade() -> None:
    """Forget wishes; refuses where an order or a refund says what the older form cannot."""
    op.execute(REFUSE_LOSS)
    op.drop_constraint("ck_refund_invoice", "refund")
    op.alter_column("refund", "invoice_id", nullable=False)
    _give_reasons("")
    for name in ("trial_days", "rail_wished"):
        op.drop_constraint(f"ck_purchase_order_{name}", "purchase_order")
        op.drop_column("purchase_order", name)


def _give_reasons(more: str) -> None:
    op.drop_constraint("ck_refund_reason", "refund")
    op.create_check_constraint("ck_refund_reason", "refund", REASONS.format(more))
