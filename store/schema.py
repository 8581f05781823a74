"""The tables, as SQLAlchemy Core sees them. The database itself is made by `store.migrations` alone.

Probabilities stand as whole millionths, one column per class: that was both the smallest layout and one of
the fastest, and any SQL shell can read it (docs/decisions/0002-probabilities-layout.md). People read them
through the views of `store.views`.
"""

import sqlalchemy as sa

REVISION = "0003"
"""The schema that this release reads and writes: the newest file of `store/migrations/versions`."""

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
"""The classes with a column of their own, `p0` to `p9`; others stand as JSON in `other_probabilities`."""

PROBABILITIES = tuple(f"p{i}" for i in range(len(CLASSES)))
MILLION = 1_000_000

# STRICT tables know INTEGER, REAL and TEXT alone; PostgreSQL's INTEGER and REAL have half their width.
WHOLE = sa.Integer().with_variant(sa.BigInteger(), "postgresql")
REAL: sa.REAL[float] = sa.REAL().with_variant(sa.Double(), "postgresql")

metadata = sa.MetaData()


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True)


def _text(name: str) -> sa.Column[str]:
    """Return a column for text, empty where there is none."""
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def _time(name: str, *, optional: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=optional)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, WHOLE, nullable=False, server_default="0")


def _real(name: str) -> sa.Column[float]:
    """Return a column for a figure, NULL where it is not known."""
    return sa.Column(name, REAL)


def _sum(name: str) -> sa.Column[float]:
    return sa.Column(name, REAL, nullable=False, server_default="0")


def _job() -> sa.Column[str]:
    return sa.Column("job_id", sa.Text, sa.ForeignKey("jobs.job_id"), primary_key=True)


models = sa.Table(
    "models",
    metadata,
    _key("version"),
    _text("classes"),
    _text("engine"),
    _text("input"),
    _time("first_seen_at"),
    _time("announced_at", optional=True),
    _text("expectations"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

jobs = sa.Table(
    "jobs",
    metadata,
    _key("job_id"),
    _text("source"),
    _text("folder"),
    sa.Column("state", sa.Text, nullable=False, server_default="open"),
    _time("opened_at"),
    _time("closed_at", optional=True),
    _count("images"),
    _count("sent"),
    _count("stored"),
    _count("failed"),
    _real("process_s"),
    _sum("predict_s"),
    _real("time_per_prediction_s"),
    _real("mean_confidence"),
    _sum("confidence_sum"),
    _text("timings"),
    _text("flags"),
    _count("suspect"),
    _sum("trusted_confidence"),
    _sum("trusted_variance"),
    _sum("store_s"),
    sa.CheckConstraint("state IN ('open', 'closed')", name="jobs_state"),
    sa.Index("jobs_closed", "state", "closed_at"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

batches = sa.Table(
    "batches",
    metadata,
    sa.Column("id", WHOLE, primary_key=True, autoincrement=True),
    sa.Column("job_id", sa.Text, sa.ForeignKey("jobs.job_id"), nullable=False),
    sa.Column("batch_id", sa.Text, nullable=False),
    _text("model_version"),
    _text("predictor"),
    _time("predicted_at"),
    _time("stored_at"),
    _count("images"),
    _count("repeated"),
    _real("predict_s"),
    _text("timings"),
    _text("statistics"),
    sa.UniqueConstraint("job_id", "batch_id", name="batches_once"),
    sqlite_strict=True,
)

predictions = sa.Table(
    "predictions",
    metadata,
    _job(),
    _key("image"),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("confidence", REAL, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False, server_default="ok"),
    _text("reasons"),
    sa.Column("model_version", sa.Text, nullable=False),
    _time("predicted_at"),
    sa.Column("batch", WHOLE, sa.ForeignKey("batches.id"), nullable=False),
    *[sa.Column(name, sa.Integer) for name in PROBABILITIES],
    _text("other_probabilities"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

shadows = sa.Table(
    "shadows",
    metadata,
    _key("job_id"),  # no foreign key: a model on trial may answer before the job has its row
    _key("image"),
    _key("model_version"),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("confidence", REAL, nullable=False),
    _time("predicted_at"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

class_confidence = sa.Table(
    "class_confidence",
    metadata,
    _job(),
    _key("label"),
    _count("images"),
    sa.Column("mean_confidence", REAL, nullable=False),
    _sum("confidence_sum"),
    _count("suspect"),
    _sum("trusted_confidence"),
    _sum("trusted_variance"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

pixels = sa.Table(
    "pixels",
    metadata,
    _key("job_id"),  # no foreign key: pixels may come before the job has its row
    _key("batch_id"),
    _time("kept_at"),
    _text("images"),
    _text("shape"),
    sa.Column("pixels", sa.LargeBinary, nullable=False),
    sa.Index("pixels_kept", "kept_at"),
    sqlite_strict=True,
)

reviews = sa.Table(
    "reviews",
    metadata,
    _job(),
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

withdrawals = sa.Table(
    "withdrawals",
    metadata,
    _job(),
    _key("image"),
    _time("withdrawn_at"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

alerts = sa.Table(
    "alerts",
    metadata,
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
    sa.Index("alerts_opened", "opened_at"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

failures = sa.Table(
    "failures",
    metadata,
    _job(),
    _key("image"),
    sa.Column("reason", sa.Text, nullable=False),
    _text("detail"),
    _time("failed_at"),
    _text("batch_id"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

rejects = sa.Table(
    "rejects",
    metadata,
    sa.Column("id", WHOLE, primary_key=True, autoincrement=True),
    _time("rejected_at"),
    _text("service"),
    _text("instance"),
    _text("topic"),
    _text("reason"),
    _text("detail"),
    sa.Column("first_bytes", sa.LargeBinary, nullable=False),
    _count("size_bytes"),
    _text("batch_id"),
    _text("job_id"),
    _text("source"),
    _count("images"),
    sqlite_strict=True,
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("id", WHOLE, primary_key=True, autoincrement=True),
    _time("at"),
    _text("service"),
    _text("instance"),
    _text("level"),
    _text("event"),
    _text("detail"),
    _text("job_id"),
    _text("batch_id"),
    sa.Index("events_at", "at"),
    sqlite_strict=True,
)

canaries = sa.Table(
    "canaries",
    metadata,
    _key("source"),
    _text("batch_id"),
    _text("image"),
    _time("sent_at", optional=True),
    _time("stored_at"),
    _real("latency_s"),
    _text("label"),
    _real("confidence"),
    _text("model_version"),
    _text("predictor"),
    _count("answers"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)
