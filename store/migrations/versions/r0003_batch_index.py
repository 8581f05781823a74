"""What deleting old jobs needs: on PostgreSQL, a batch that goes is looked for in every prediction.

SQLite's deletions check no foreign keys (`store.retention`), and an index there would slow every row down.
"""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add an index, on PostgreSQL only."""
    if op.get_bind().dialect.name == "postgresql":
        op.create_index("predictions_batch", "predictions", ["batch"])
