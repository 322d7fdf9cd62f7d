"""Disclosure: the public register by month, annual reports, and where a dataset's assessment can be read."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None

REGISTER = ("register_line", "register_month")


def upgrade() -> None:
    """Create."""
    op.add_column("dataset", sa.Column("assessment_url", sa.Text(), nullable=False, server_default=""))
    _create_register()
    op.create_table(
        "annual_report",
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document", postgresql.JSONB(), nullable=False),
        sa.Column("published", postgresql.JSONB(), nullable=True),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("year BETWEEN 2000 AND 9999", name="ck_annual_report_year"),
        sa.PrimaryKeyConstraint("year", name="pk_annual_report"),
    )
    _seal()


def _seal() -> None:
    for table in REGISTER:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
    for table in (*REGISTER, "annual_report"):
        op.execute(
            f"CREATE TRIGGER {table}_never_emptied BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.execute(
        "CREATE TRIGGER annual_report_published BEFORE UPDATE OR DELETE ON annual_report"
        " FOR EACH ROW WHEN (OLD.published IS NOT NULL) EXECUTE FUNCTION refuse_change()"
    )


def _create_register() -> None:
    op.create_table(
        "register_month",
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("threshold", sa.Integer(), nullable=False),
        sa.Column("document", postgresql.JSONB(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("month ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'", name="ck_register_month_month"),
        sa.CheckConstraint("threshold >= 3", name="ck_register_month_threshold"),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="ck_register_month_sha256"),
        sa.PrimaryKeyConstraint("month", name="pk_register_month"),
    )
    op.create_table(
        "register_line",
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("dataset_id", sa.Text(), nullable=True),
        sa.Column("document", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_register_line_dataset_id"),
        sa.ForeignKeyConstraint(["month"], ["register_month.month"], name="fk_register_line_month"),
        sa.PrimaryKeyConstraint("month", "number", name="pk_register_line"),
    )
    op.create_index("ix_register_line_dataset_id_month", "register_line", ["dataset_id", "month"])


def downgrade() -> None:
    """Drop, with all that was published."""
    op.drop_column("dataset", "assessment_url")
    op.drop_table("annual_report")
    op.drop_table("register_line")
    op.drop_table("register_month")
