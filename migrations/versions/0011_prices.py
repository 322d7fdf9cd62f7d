"""Prices of every kind, private offers, discounts and coupons."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

KINDS = "price_kind IN ('free', 'one_off', 'subscription', 'per_unit', 'graduated', 'volume', 'package')"
KINDS_BEFORE = "price_kind IN ('free', 'one_off', 'per_mib')"
AMOUNT = (
    "amount_yen BETWEEN 0 AND 999999999999"
    " AND (price_kind IN ('one_off', 'subscription', 'package')) = (amount_yen > 0)"
)
AMOUNT_BEFORE = "amount_yen BETWEEN 0 AND 999999999999 AND (price_kind = 'free') = (amount_yen = 0)"
INCLUDED_BEFORE = "included_mib >= 0 AND (price_kind = 'per_mib' OR included_mib = 0)"
CHECKS = {
    "price": "(price ->> 'kind') IS NOT DISTINCT FROM price_kind"
    " AND coalesce((price ->> 'amount_yen')::bigint, 0) = amount_yen",
    "rails": "jsonb_typeof(rails) = 'array'"
    ' AND rails <@ \'["card", "konbini", "bank_transfer", "invoice", "outside"]\'::jsonb'
    " AND (price_kind = 'free') = (rails = '[]'::jsonb)",
    "shares": "jsonb_typeof(shares) = 'array' AND shares <> '[]'::jsonb",
    "discounts": "jsonb_typeof(discounts) = 'array'",
    "buyer_organization_id": "buyer_organization_id <> organization_id",
    "fee_ordinance": "fee_ordinance <> ''",
}
ADDED = ("price", "rails", "shares", "discounts", "fee_ordinance", "buyer_organization_id", "valid_until")

# What stood under "per MiB" counted its included MiB once for the whole life of a grant, and still does.
CONVERT = """
UPDATE offer SET
    price = CASE price_kind
        WHEN 'free' THEN jsonb_build_object('kind', 'free')
        WHEN 'one_off' THEN jsonb_build_object('kind', 'one_off', 'amount_yen', amount_yen)
        ELSE jsonb_build_object(
            'kind', 'per_unit', 'unit_yen', amount_yen::text, 'unit', 'mib', 'included_units', included_mib,
            'minimum_yen', NULL, 'maximum_yen', NULL, 'period', 'grant', 'trial_days', 0) END,
    rails = CASE price_kind WHEN 'free' THEN '[]'::jsonb ELSE '["card"]'::jsonb END,
    shares = jsonb_build_array(jsonb_build_object('organization_id', organization_id, 'basis_points', 10000)),
    discounts = '[]'::jsonb,
    amount_yen = CASE price_kind WHEN 'per_mib' THEN 0 ELSE amount_yen END,
    price_kind = CASE price_kind WHEN 'per_mib' THEN 'per_unit' ELSE price_kind END
"""
# Nobody may find a price other than the one agreed: what the older form cannot say stops the way back.
REFUSE_LOSS = """
DO $$ BEGIN
    IF EXISTS (
        SELECT FROM offer WHERE buyer_organization_id IS NOT NULL OR valid_until IS NOT NULL OR fee_ordinance IS NOT NULL
            OR discounts <> '[]'::jsonb OR jsonb_array_length(shares) <> 1 OR NOT rails <@ '["card"]'::jsonb
            OR NOT (price_kind IN ('free', 'one_off') OR (
                price_kind = 'per_unit' AND price ->> 'unit' = 'mib' AND price ->> 'unit_yen' ~ '^[0-9]+$'
                AND price ->> 'period' = 'grant' AND price ->> 'minimum_yen' IS NULL
                AND price ->> 'maximum_yen' IS NULL AND price ->> 'trial_days' = '0'))
    ) THEN
        RAISE EXCEPTION 'there are offers that version 0010 cannot hold: they would change what was agreed';
    END IF;
END $$
"""
CONVERT_BACK = """
UPDATE offer SET
    included_mib = coalesce((price ->> 'included_units')::bigint, 0),
    amount_yen = CASE price_kind WHEN 'per_unit' THEN (price ->> 'unit_yen')::bigint ELSE amount_yen END,
    price_kind = CASE price_kind WHEN 'per_unit' THEN 'per_mib' ELSE price_kind END
"""
# The public documents are derived, but nothing derives them anew before somebody changes the dataset.
RELIST = """
UPDATE listing SET document = jsonb_set(document, '{{offers}}', (
    SELECT coalesce(jsonb_agg({shown} ORDER BY told.place), '[]'::jsonb)
    FROM jsonb_array_elements(document -> 'offers') WITH ORDINALITY AS told(offer, place)
    JOIN offer ON offer.id = told.offer ->> 'id'
)) WHERE jsonb_typeof(document -> 'offers') = 'array'
"""
SHOWN = (
    "(told.offer - 'included_mib') || jsonb_build_object('price_kind', offer.price_kind,"
    " 'amount_yen', offer.amount_yen, 'price', offer.price, 'rails', offer.rails, 'discounts', offer.discounts,"
    " 'fee_ordinance', NULL, 'valid_until', NULL)"
)
SHOWN_BEFORE = (
    "(told.offer - '{price,rails,discounts,fee_ordinance,valid_until}'::text[]) || jsonb_build_object("
    "'price_kind', offer.price_kind, 'amount_yen', offer.amount_yen, 'included_mib', offer.included_mib)"
)
# Rows of these tables are fixed but for the columns that the trigger names.
MOVES = """
CREATE FUNCTION discount_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - TG_ARGV::text[] IS DISTINCT FROM to_jsonb(OLD) - TG_ARGV::text[] THEN
        RAISE EXCEPTION '% % is fixed: only % move', TG_TABLE_NAME, OLD.id, array_to_string(TG_ARGV, ', ')
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$
"""
MOVING = {
    "eligibility": ("state", "single_use", "valid_until", "decision_reason", "decided_at"),
    "coupon": ("state", "redemptions"),
    "discount_use": ("given_back_at",),
}


def upgrade() -> None:
    """Give offers their new form, convert those there are, and create what discounts need."""
    _widen_offers()
    _constrain(KINDS, "UPDATE purchase_order SET price_kind = 'per_unit' WHERE price_kind = 'per_mib'")
    op.execute(RELIST.format(shown=SHOWN))
    _create_eligibility()
    _create_coupon()
    _create_discount_use()
    op.execute(MOVES)
    for table, columns in MOVING.items():
        arguments = ", ".join(f"'{column}'" for column in columns)
        op.execute(
            f"CREATE TRIGGER {table}_moves BEFORE UPDATE ON {table}"
            f" FOR EACH ROW EXECUTE FUNCTION discount_moves({arguments})"
        )
        op.execute(
            f"CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_never_emptied BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def _widen_offers() -> None:
    for name in ("price", "rails", "shares", "discounts"):
        op.add_column("offer", sa.Column(name, postgresql.JSONB(), nullable=True))
    op.add_column("offer", sa.Column("fee_ordinance", sa.Text(), nullable=True))
    op.add_column("offer", sa.Column("buyer_organization_id", sa.Text(), nullable=True))
    op.add_column("offer", sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True))
    for name in ("price_kind", "amount_yen", "included_mib"):
        op.drop_constraint(f"ck_offer_{name}", "offer")
    op.execute("ALTER TABLE offer DISABLE TRIGGER offer_moves")
    op.execute(CONVERT)
    op.execute("ALTER TABLE offer ENABLE TRIGGER offer_moves")
    op.drop_column("offer", "included_mib")
    for name in ("price", "rails", "shares", "discounts"):
        op.alter_column("offer", name, nullable=False)
    for name, condition in {"price_kind": KINDS, "amount_yen": AMOUNT, **CHECKS}.items():
        op.create_check_constraint(f"ck_offer_{name}", "offer", condition)
    op.create_foreign_key("fk_offer_buyer_organization_id", "offer", "organization", ["buyer_organization_id"], ["id"])


def _constrain(kinds: str, convert: str) -> None:
    op.drop_constraint("ck_purchase_order_price_kind", "purchase_order")
    op.execute(convert)
    op.create_check_constraint("ck_purchase_order_price_kind", "purchase_order", kinds)


def _create_eligibility() -> None:
    op.create_table(
        "eligibility",
        sa.Column("id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_eligibility"),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("discount_class", sa.Text(), nullable=False),
        sa.Column("evidence_reference", sa.Text(), nullable=False),
        sa.Column("evidence_sha256", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("single_use", sa.Boolean(), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_reason", sa.Text(), nullable=True),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_eligibility_organization_id"),
        sa.CheckConstraint(
            "discount_class IN ('public_interest', 'academic', 'sme', 'same_city')", "ck_eligibility_discount_class"
        ),
        sa.CheckConstraint("state IN ('applied', 'granted', 'refused')", "ck_eligibility_state"),
        sa.CheckConstraint("evidence_reference <> ''", "ck_eligibility_evidence_reference"),
        sa.CheckConstraint("evidence_sha256 ~ '^[0-9a-f]{64}$'", "ck_eligibility_evidence_sha256"),
        sa.CheckConstraint("(state = 'applied') = (decided_at IS NULL)", "ck_eligibility_decided_at"),
        sa.CheckConstraint("state <> 'granted' OR valid_until IS NOT NULL", "ck_eligibility_valid_until"),
        sa.CheckConstraint("state <> 'refused' OR decision_reason IS NOT NULL", "ck_eligibility_decision_reason"),
    )
    op.create_index("ix_eligibility_organization_id_id", "eligibility", ["organization_id", "id"])
    op.create_index(
        "uq_eligibility_organization_id_discount_class",
        "eligibility",
        ["organization_id", "discount_class"],
        unique=True,
        postgresql_where=sa.text("state = 'applied'"),
    )


def _create_coupon() -> None:
    op.create_table(
        "coupon",
        sa.Column("id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_coupon"),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("offer_id", sa.Text(), nullable=True),
        sa.Column("code_sha256", sa.Text(), nullable=False),
        sa.Column("basis_points", sa.Integer(), nullable=True),
        sa.Column("amount_yen", sa.BigInteger(), nullable=True),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("max_redemptions", sa.Integer(), nullable=False),
        sa.Column("redemptions", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_coupon_organization_id"),
        sa.ForeignKeyConstraint(["offer_id"], ["offer.id"], name="fk_coupon_offer_id"),
        sa.UniqueConstraint("code_sha256", name="uq_coupon_code_sha256"),
        sa.CheckConstraint("code_sha256 ~ '^[0-9a-f]{64}$'", "ck_coupon_code_sha256"),
        sa.CheckConstraint("num_nonnulls(basis_points, amount_yen) = 1", "ck_coupon_worth"),
        sa.CheckConstraint("basis_points BETWEEN 1 AND 10000", "ck_coupon_basis_points"),
        sa.CheckConstraint("amount_yen BETWEEN 1 AND 999999999999", "ck_coupon_amount_yen"),
        sa.CheckConstraint("valid_from < valid_until", "ck_coupon_window"),
        sa.CheckConstraint("redemptions BETWEEN 0 AND max_redemptions", "ck_coupon_redemptions"),
        sa.CheckConstraint("max_redemptions >= 1", "ck_coupon_max_redemptions"),
        sa.CheckConstraint("state IN ('open', 'ended')", "ck_coupon_state"),
    )
    op.create_index("ix_coupon_organization_id_id", "coupon", ["organization_id", "id"])


def _create_discount_use() -> None:
    op.create_table(
        "discount_use",
        sa.Column("id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_discount_use"),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("eligibility_id", sa.Text(), nullable=True),
        sa.Column("coupon_id", sa.Text(), nullable=True),
        sa.Column("single_use", sa.Boolean(), nullable=False),
        sa.Column("basis_points", sa.Integer(), nullable=True),
        sa.Column("amount_yen", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("given_back_at", sa.DateTime(timezone=True), nullable=True),
        # The order is written after what it costs is known: in the same transaction, checked at its end.
        sa.ForeignKeyConstraint(
            ["order_id"], ["purchase_order.id"], "fk_discount_use_order_id", deferrable=True, initially="DEFERRED"
        ),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_discount_use_organization_id"),
        sa.ForeignKeyConstraint(["eligibility_id"], ["eligibility.id"], name="fk_discount_use_eligibility_id"),
        sa.ForeignKeyConstraint(["coupon_id"], ["coupon.id"], name="fk_discount_use_coupon_id"),
        sa.UniqueConstraint("order_id", "kind", name="uq_discount_use_order_id_kind"),
        sa.CheckConstraint("kind IN ('eligibility', 'coupon')", "ck_discount_use_kind"),
        sa.CheckConstraint(
            "(kind = 'eligibility') = (eligibility_id IS NOT NULL) AND (kind = 'coupon') = (coupon_id IS NOT NULL)",
            "ck_discount_use_source",
        ),
        sa.CheckConstraint("amount_yen >= 0", "ck_discount_use_amount_yen"),
    )
    op.create_index("ix_discount_use_coupon_id", "discount_use", ["coupon_id"])
    op.create_index(
        "uq_discount_use_eligibility_id",
        "discount_use",
        ["eligibility_id"],
        unique=True,
        postgresql_where=sa.text("single_use AND given_back_at IS NULL"),
    )


def downgrade() -> None:
    """Drop, and convert back; refuses where an offer says what the older form cannot."""
    op.execute(REFUSE_LOSS)
    for table in ("discount_use", "coupon", "eligibility"):
        op.drop_table(table)
    op.execute("DROP FUNCTION discount_moves()")
    op.add_column("offer", sa.Column("included_mib", sa.BigInteger(), nullable=True))
    for name in ("price_kind", "amount_yen", *CHECKS):
        op.drop_constraint(f"ck_offer_{name}", "offer")
    op.execute("ALTER TABLE offer DISABLE TRIGGER offer_moves")
    op.execute(CONVERT_BACK)
    op.execute("ALTER TABLE offer ENABLE TRIGGER offer_moves")
    op.alter_column("offer", "included_mib", nullable=False)
    op.execute(RELIST.format(shown=SHOWN_BEFORE))
    for name in ADDED:
        op.drop_column("offer", name)
    before = {"price_kind": KINDS_BEFORE, "amount_yen": AMOUNT_BEFORE, "included_mib": INCLUDED_BEFORE}
    for name, condition in before.items():
        op.create_check_constraint(f"ck_offer_{name}", "offer", condition)
    _constrain(KINDS_BEFORE, "UPDATE purchase_order SET price_kind = 'per_mib' WHERE price_kind = 'per_unit'")
