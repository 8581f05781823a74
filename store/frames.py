"""The exports as pandas DataFrames, for notebooks: the same rows and columns, with types.

with queries.reading(settings.store) as connection:
    jobs = frame(connection, "performance", Filters())
    jobs.set_index("opened_at")["mean"].rolling("7D").mean().plot()
"""

from typing import TYPE_CHECKING

import sqlalchemy as sa

from store.exports import KINDS, Filters

if TYPE_CHECKING:
    import pandas as pd

TIMES = frozenset({"time", "opened_at", "closed_at", "day"})
FIGURES = ("_percent", "_s")


def frame(connection: sa.Connection, kind: str, filters: Filters) -> "pd.DataFrame":
    """Return one kind of export (a key of `exports.KINDS`) as a DataFrame; all of it is in memory at once.

    Times are timezone-aware (UTC), percents and seconds are floats; what is not known is missing (NaN, NaT).
    """
    import pandas as pd  # noqa: PLC0415 - the store's service must not load it

    rows = KINDS[kind](connection, filters)
    columns = [str(name) for name in next(rows)]
    made = pd.DataFrame.from_records([tuple(row) for row in rows], columns=columns)
    for name in columns:
        if name in TIMES:
            made[name] = pd.to_datetime(made[name], utc=True, format="ISO8601")
        elif name.endswith(FIGURES):
            made[name] = pd.to_numeric(made[name].replace("", None))
    return made
