"""Demand: data requests, who follows and pledges, answers, notices, and what comparable deals cost."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0059"
down_revision = "0058"
branch_labels = None
depends_on = None

LIVE = "state IN ('open', 'answered')"
STATES = "'open', 'answered', 'met', 'closed', 'expired', 'merged'"


def upgrade() -> None:
    """Create."""
    _request()
    _follower()
    _pledge()
    _answer()
    _notice()
    _guide()


def downgrade() -> None:
    """Drop: requests, answers and notices are lost."""
    for table in ("price_guide", "data_request_notice", "data_request_answer", "data_request_pledge",
                  "data_request_follower", "data_request"):  # fmt: skip
        op.drop_table(table)


def _at(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _to(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}")


def _request() -> None:
    name = "data_request"
    op.create_table(
        name,
        _text("id"),
        _text("organization_id"),
        sa.Column("shows_name", sa.Boolean(), nullable=False),
        *(_text(column) for column in ("state", "title", "problem", "theme", "region")),
        sa.Column("period_from", sa.Date()),
        sa.Column("period_to", sa.Date()),
        _text("detail"),
        sa.Column("budget_yen", sa.BigInteger()),
        sa.Column("deadline", sa.Date(), nullable=False),
        sa.Column("tokens", ARRAY(sa.Text()), nullable=False),
        sa.Column("pledged_organizations", sa.Integer()),
        sa.Column("pledged_yen", sa.BigInteger()),
        _at("pledged_at", nullable=True),
        _text("merged_into_id", nullable=True),
        sa.Column("withheld", sa.Boolean(), nullable=False),
        _text("closing_words", nullable=True),
        _at("created_at"),
        _at("answered_at", nullable=True),
        _at("ended_at", nullable=True),
        sa.CheckConstraint(f"state IN ({STATES})", name="ck_data_request_state"),
        sa.CheckConstraint("region = 'JP' OR region ~ '^[0-9]{6}$'", name="ck_data_request_region"),
        sa.CheckConstraint("period_from <= period_to", name="ck_data_request_period"),
        sa.CheckConstraint("budget_yen > 0", name="ck_data_request_budget_yen"),
        sa.CheckConstraint(
            "num_nonnulls(pledged_organizations, pledged_yen, pledged_at) IN (0, 3)", name="ck_data_request_pledged"
        ),
        sa.CheckConstraint("(state = 'merged') = (merged_into_id IS NOT NULL)", name="ck_data_request_merged"),
        sa.CheckConstraint(f"({LIVE}) = (ended_at IS NULL)", name="ck_data_request_ended_at"),
        sa.PrimaryKeyConstraint("id", name="pk_data_request"),
        _to(name, "organization_id", "organization"),
        _to(name, "merged_into_id", name),
    )
    op.create_index("ix_data_request_state_id", name, ["state", "id"])
    op.create_index("ix_data_request_organization_id_id", name, ["organization_id", "id"])
    op.create_index("ix_data_request_deadline_live", name, ["deadline"], postgresql_where=sa.text(LIVE))
    op.create_index("ix_data_request_tokens", name, ["tokens"], postgresql_using="gin")


def _follower() -> None:
    name = "data_request_follower"
    op.create_table(
        name,
        _text("request_id"),
        _text("organization_id"),
        _at("created_at"),
        sa.PrimaryKeyConstraint("request_id", "organization_id", name=f"pk_{name}"),
        _to(name, "request_id", "data_request"),
        _to(name, "organization_id", "organization"),
    )
    op.create_index(f"ix_{name}_organization_id", name, ["organization_id", "request_id"])


def _pledge() -> None:
    name = "data_request_pledge"
    op.create_table(
        name,
        _text("request_id"),
        _text("organization_id"),
        sa.Column("amount_yen", sa.BigInteger(), nullable=False),
        sa.Column("shown_yen", sa.BigInteger(), nullable=False),
        _at("updated_at"),
        sa.CheckConstraint("amount_yen >= 0 AND shown_yen >= 0", name=f"ck_{name}_amounts"),
        sa.PrimaryKeyConstraint("request_id", "organization_id", name=f"pk_{name}"),
        _to(name, "request_id", "data_request"),
        _to(name, "organization_id", "organization"),
    )


def _answer() -> None:
    name = "data_request_answer"
    op.create_table(
        name,
        *(_text(column) for column in ("id", "request_id", "organization_id", "kind", "words")),
        sa.Column("amount_yen", sa.BigInteger()),
        sa.Column("valid_until", sa.Date()),
        _text("dataset_id", nullable=True),
        _at("created_at"),
        _at("withdrawn_at", nullable=True),
        _at("chosen_at", nullable=True),
        sa.CheckConstraint("kind IN ('teaser', 'quote', 'listing')", name=f"ck_{name}_kind"),
        sa.CheckConstraint("amount_yen > 0", name=f"ck_{name}_amount_yen"),
        sa.CheckConstraint(
            "num_nonnulls(amount_yen, valid_until) = CASE kind WHEN 'quote' THEN 2 ELSE 0 END", name=f"ck_{name}_quote"
        ),
        sa.CheckConstraint("kind <> 'listing' OR dataset_id IS NOT NULL", name=f"ck_{name}_listing"),
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        _to(name, "request_id", "data_request"),
        _to(name, "organization_id", "organization"),
        _to(name, "dataset_id", "dataset"),
    )
    op.create_index(f"ix_{name}_request_id_id", name, ["request_id", "id"])
    standing = sa.text("kind = 'listing' AND withdrawn_at IS NULL")
    op.create_index(f"uq_{name}_listing", name, ["request_id", "dataset_id"], unique=True, postgresql_where=standing)


def _notice() -> None:
    name = "data_request_notice"
    op.create_table(
        name,
        *(_text(column) for column in ("id", "request_id", "organization_id", "event", "about")),
        _at("created_at"),
        _at("mailed_at", nullable=True),
        sa.CheckConstraint("event IN ('answered', 'met', 'closed', 'expired', 'merged')", name=f"ck_{name}_event"),
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        _to(name, "request_id", "data_request"),
        _to(name, "organization_id", "organization"),
    )
    told = ["request_id", "organization_id", "event", "about"]
    op.create_index(f"uq_{name}_event", name, told, unique=True)
    op.create_index(f"ix_{name}_organization_id_id", name, ["organization_id", "id"])
    op.create_index(f"ix_{name}_id_unmailed", name, ["id"], postgresql_where=sa.text("mailed_at IS NULL"))


def _guide() -> None:
    name = "price_guide"
    op.create_table(
        name,
        *(_text(column) for column in ("month", "theme", "price_kind", "region")),
        sa.Column("deals_min", sa.Integer(), nullable=False),
        sa.Column("buyers_min", sa.Integer(), nullable=False),
        *(sa.Column(f"{which}_yen", sa.BigInteger(), nullable=False) for which in ("lower", "median", "upper")),
        sa.CheckConstraint("month ~ '^[0-9]{4}-[0-9]{2}$'", name=f"ck_{name}_month"),
        sa.CheckConstraint(
            "0 < lower_yen AND lower_yen <= median_yen AND median_yen <= upper_yen", name=f"ck_{name}_quartiles"
        ),
        sa.PrimaryKeyConstraint("month", "theme", "price_kind", "region", name=f"pk_{name}"),
    )
