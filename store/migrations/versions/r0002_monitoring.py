"""What monitoring, reviews and replay need: sums of trusted answers, pixels, reviews, alerts."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

WHOLE = sa.Integer().with_variant(sa.BigInteger(), "postgresql")
REAL: sa.REAL[float] = sa.REAL().with_variant(sa.Double(), "postgresql")


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def _time(name: str, *, optional: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=optional)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, WHOLE, nullable=False, server_default="0")


def _sum(name: str) -> sa.Column[float]:
    return sa.Column(name, REAL, nullable=False, server_default="0")


def upgrade() -> None:
    """Add columns at the tables' ends, and three tables."""
    op.add_column("models", _text("expectations"))
    for table in ("jobs", "class_confidence"):
        for column in (_count("suspect"), _sum("trusted_confidence"), _sum("trusted_variance")):
            op.add_column(table, column)
    op.add_column("jobs", _sum("store_s"))
    op.create_index("jobs_closed", "jobs", ["state", "closed_at"])
    op.add_column("batches", _text("statistics"))
    _count_what_was_stored()
    _make_pixels()
    _make_reviews()
    _make_alerts()


def _count_what_was_stored() -> None:
    """Give the rows of older releases the sums that later ones get as they come."""
    sums = """UPDATE {table} SET
  suspect = (SELECT count(*) FROM predictions p WHERE {mine} AND p.verdict <> 'ok'),
  trusted_confidence = (SELECT coalesce(sum(p.confidence), 0) FROM predictions p
    WHERE {mine} AND p.verdict = 'ok'),
  trusted_variance = (SELECT coalesce(sum(p.confidence * (1 - p.confidence)), 0) FROM predictions p
    WHERE {mine} AND p.verdict = 'ok')"""
    op.execute(sums.format(table="jobs", mine="p.job_id = jobs.job_id"))
    by_class = "p.job_id = class_confidence.job_id AND p.label = class_confidence.label"
    op.execute(sums.format(table="class_confidence", mine=by_class))


def _make_pixels() -> None:
    op.create_table(
        "pixels",
        _key("job_id"),
        _key("batch_id"),
        _time("kept_at"),
        _text("images"),
        _text("shape"),
        sa.Column("pixels", sa.LargeBinary, nullable=False),
        sqlite_strict=True,
    )
    op.create_index("pixels_kept", "pixels", ["kept_at"])


def _make_reviews() -> None:
    op.create_table(
        "reviews",
        sa.Column("job_id", sa.Text, sa.ForeignKey("jobs.job_id"), primary_key=True),
        _key("image"),
        sa.Column("label", sa.Text, nullable=False),
        _text("reviewer"),
        _time("reviewed_at"),
        _text("how"),
        _text("stratum"),
        _text("review_id"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )

    op.create_table(
        "withdrawals",
        sa.Column("job_id", sa.Text, sa.ForeignKey("jobs.job_id"), primary_key=True),
        _key("image"),
        _time("withdrawn_at"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _make_alerts() -> None:
    op.create_table(
        "alerts",
        _key("alert_id"),
        _text("rule"),
        _text("subject"),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("value", REAL, nullable=False),
        sa.Column("bound", REAL, nullable=False),
        _text("detail"),
        _time("opened_at"),
        _time("closed_at", optional=True),
        _text("job_id"),
        _text("told"),
        sa.CheckConstraint("state IN ('open', 'closed')", name="alerts_state"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("alerts_opened", "alerts", ["opened_at"])
