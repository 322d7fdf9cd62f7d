"""Listings that wait for the search index."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# One job a dataset, all behind one lock, becomes one row a dataset and any job that comes by.
TAKE_OVER = """
INSERT INTO search_waiting (dataset_id)
SELECT d.id FROM dataset d WHERE EXISTS (
  SELECT FROM procrastinate_jobs j
   WHERE j.task_name = 'catalog.index' AND j.status <> 'succeeded' AND j.args ->> 'dataset_id' = d.id)
"""
RELEASE = "UPDATE procrastinate_jobs SET args = '{}', lock = NULL WHERE task_name = 'catalog.index'"
DROP = "DELETE FROM procrastinate_jobs WHERE task_name = 'catalog.index' AND status = 'todo'"
GIVE_BACK = """
INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args)
SELECT 'default', 'catalog.index', 'catalog.index', jsonb_build_object('dataset_id', dataset_id) FROM search_waiting
"""


def upgrade() -> None:
    """Create the list of datasets that wait, and put on it what jobs were to do."""
    op.create_table(
        "search_waiting",
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("refused_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_search_waiting_dataset_id"),
        sa.PrimaryKeyConstraint("dataset_id", name="pk_search_waiting"),
    )
    op.create_index(
        "ix_search_waiting_sequence", "search_waiting", ["sequence"], postgresql_where=sa.text("refused_at IS NULL")
    )
    op.execute(TAKE_OVER)
    op.execute(RELEASE)


def downgrade() -> None:
    """Let jobs do again, one by one, what waits."""
    op.execute(DROP)
    op.execute(GIVE_BACK)
    op.drop_table("search_waiting")
