"""Contents: a delivery tells the size and rows of the bytes it is a part of, which need not be the file's."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add; what was delivered so far were files."""
    op.add_column("delivery", sa.Column("content_bytes", sa.BigInteger(), nullable=True))
    op.add_column("delivery", sa.Column("content_rows", sa.BigInteger(), nullable=True))
    op.execute("UPDATE delivery SET content_bytes = file.size_bytes FROM file WHERE file.id = delivery.file_id")
    op.alter_column("delivery", "content_bytes", nullable=False)
    op.create_check_constraint(
        "ck_delivery_content", "delivery", "start_byte + length <= content_bytes AND content_rows >= 0"
    )


def downgrade() -> None:
    """Take away."""
    op.drop_constraint("ck_delivery_content", "delivery", type_="check")
    op.drop_column("delivery", "content_rows")
    op.drop_column("delivery", "content_bytes")
