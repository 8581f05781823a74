"""From whatever schema stands in the database to this release's, or one sentence why not."""

import logging
import os
from pathlib import Path

import sqlalchemy as sa

from store import views
from store.database import WHAT_TO_DO, damaged
from store.errors import DatabaseProblem
from store.schema import REVISION

MIGRATIONS = Path(__file__).parent / "migrations"
_OURS = {"jobs", "predictions"}


def revision_of(engine: sa.Engine) -> str | None:
    """Return the revision that the database is at, None for an empty one.

    Raises DatabaseProblem when the tables in it are somebody else's or the file is no database.
    """
    try:
        with engine.connect() as connection:
            return _revision(connection)
    except sa.exc.DatabaseError as error:
        if damaged(error):
            file = str(engine.url.database).removeprefix("file:")
            raise DatabaseProblem(f"{file} is no SQLite database, or it is damaged; {WHAT_TO_DO}") from error
        raise


def _revision(connection: sa.Connection) -> str | None:
    tables = set(sa.inspect(connection).get_table_names())
    if not tables:
        return None
    where = connection.engine.url.render_as_string(hide_password=True)
    if "alembic_version" not in tables or not tables >= _OURS:
        raise DatabaseProblem(
            f"{where} holds other tables already: name a database of its own in [store] url"
        )
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return str(found)


def upgrade(
    engine: sa.Engine, path: Path | None, *, revision: str = REVISION, migrations: Path = MIGRATIONS
) -> str | None:
    """Bring the database to `revision` in one transaction; return the revision it was at before.

    An SQLite file with something in it is copied first to `<file>.before-<revision>`. A schema that is newer
    than this release is left alone: DatabaseProblem.
    """
    before = revision_of(engine)
    if before == revision:
        return before
    if before is not None and before > revision:
        where = engine.url.render_as_string(hide_password=True)
        raise DatabaseProblem(
            f"{where} has schema {before}, this release knows {revision}: start the newer release"
        )
    if before is not None and path is not None:
        back_up(engine, path, Path(f"{path}.before-{revision}"))
    with engine.begin() as connection:
        _drop_views(connection)
        _migrate(connection, revision, migrations)
        _make_views(connection)
    return before


def back_up(engine: sa.Engine, path: Path, target: Path) -> None:
    """Copy an SQLite database, whole and compact, beside a writer; the copy appears when it is complete."""
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    raw = engine.raw_connection()
    try:
        raw.cursor().execute("VACUUM INTO ?", (str(part),))
    finally:
        raw.close()
    part.chmod(path.stat().st_mode & 0o777)
    os.replace(part, target)  # noqa: PTH105 - one atomic step, named as what it is


def _migrate(connection: sa.Connection, revision: str, migrations: Path) -> None:
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of plugins, in ten lines a start
    # Alembic is needed once per release, not by every start of the store.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _drop_views(connection: sa.Connection) -> None:
    for name in reversed(views.statements(connection.dialect.name)):
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")


def _make_views(connection: sa.Connection) -> None:
    for name, select in views.statements(connection.dialect.name).items():
        connection.exec_driver_sql(f"CREATE VIEW {name} AS\n{select}")
