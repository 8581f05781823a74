"""From every schema to this release's, with its rows; and the files that are left alone."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from broker.settings import Store
from store.database import check, file_of, writing_engine
from store.errors import DatabaseProblem
from store.schema import REVISION, metadata
from store.upgrading import MIGRATIONS, _drop_views, _migrate, revision_of, upgrade
from store.writer import Writer
from tests.store.workbench import Make

NEXT = '''"""A later release's."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add a column, and break where a test wants it."""
    op.add_column("predictions", sa.Column("more", sa.Text, nullable=False, server_default="later"))
    op.execute("{statement}")
'''


@pytest.fixture
def path(store_settings: Store) -> Path:
    """The database's file."""
    found = file_of(store_settings.url)
    assert found is not None
    return found


def later(folder: Path, statement: str = "SELECT 1") -> Path:
    """Return migrations with one more revision."""
    shutil.copytree(MIGRATIONS, folder / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "migrations" / "versions" / "r0004_more.py").write_text(NEXT.format(statement=statement))
    return folder / "migrations"


def test_new_database_is_made_without_a_backup(engine: sa.Engine, tmp_path: Path) -> None:
    """A new database is at this release's revision, and a second upgrade does nothing."""
    assert revision_of(engine) == REVISION
    assert upgrade(engine, None) == REVISION
    assert list(tmp_path.glob("*.before-*")) == []


def test_folder_of_a_new_database_is_made(tmp_path: Path) -> None:
    """The store makes the folders that its file needs, spaces and all."""
    store_settings = Store(url=f"sqlite:///{tmp_path}/a b/c/store.db")
    engine = writing_engine(store_settings)
    assert upgrade(engine, file_of(store_settings.url)) is None
    engine.dispose()
    assert (tmp_path / "a b/c/store.db").is_file()


def test_upgrade_keeps_the_rows_and_a_backup(
    store_settings: Store, path: Path, tmp_path: Path, make: Make
) -> None:
    """The next revision finds the first one's rows; the file as it was lies beside it."""
    engine = writing_engine(store_settings)
    upgrade(engine, path)
    Writer(engine).write([make.batch("a.png", "b.png")])
    assert upgrade(engine, path, revision="0004", migrations=later(tmp_path)) == "0003"
    with engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT image, more FROM predictions").all()
        views = connection.exec_driver_sql('SELECT image, "Bag" FROM v_predictions').all()
    engine.dispose()
    assert [tuple(row) for row in found] == [("a.png", "later"), ("b.png", "later")]
    assert [tuple(row) for row in views] == [("a.png", 0.75), ("b.png", 0.75)]
    with closing(sqlite3.connect(f"{path}.before-0004")) as backup:
        assert backup.execute("SELECT image FROM predictions").fetchall() == [("a.png",), ("b.png",)]
        assert backup.execute("SELECT version_num FROM alembic_version").fetchall() == [("0003",)]


def test_upgrade_on_every_database(engine: sa.Engine, tmp_path: Path, make: Make) -> None:
    """PostgreSQL keeps its rows as well."""
    Writer(engine).write([make.batch("a.png")])
    upgrade(engine, None, revision="0004", migrations=later(tmp_path))
    with engine.connect() as connection:
        assert tuple(connection.exec_driver_sql("SELECT image, more FROM predictions").one()) == (
            "a.png",
            "later",
        )


def test_upgrade_that_fails_leaves_everything_as_it_was(
    engine: sa.Engine, tmp_path: Path, make: Make
) -> None:
    """A migration is one transaction: views, columns and revision are what they were."""
    Writer(engine).write([make.batch("a.png")])
    with pytest.raises(sa.exc.DBAPIError):
        upgrade(engine, None, revision="0004", migrations=later(tmp_path, "SELECT * FROM nowhere"))
    assert revision_of(engine) == "0003"
    with engine.connect() as connection:
        columns = [column["name"] for column in sa.inspect(connection).get_columns("predictions")]
        assert "more" not in columns
        assert connection.exec_driver_sql("SELECT image FROM v_predictions").scalar() == "a.png"


def test_newer_schema_is_refused(engine: sa.Engine) -> None:
    """An older release does not touch what a newer one made."""
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0099'")
    with pytest.raises(
        DatabaseProblem, match="has schema 0099, this release knows 0003: start the newer release"
    ):
        upgrade(engine, None)


def test_foreign_tables_are_refused(store_settings: Store, path: Path) -> None:
    """A database that somebody else uses stays as it is."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE guests (name TEXT)")
    before = path.read_bytes()
    engine = writing_engine(store_settings)
    with pytest.raises(DatabaseProblem, match="holds other tables already"):
        upgrade(engine, path)
    engine.dispose()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("guests",)]
    assert len(path.read_bytes()) == len(before)


@pytest.mark.parametrize("content", [b"Dear diary, " * 100, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_file_that_is_no_database_is_refused(store_settings: Store, path: Path, content: bytes) -> None:
    """A text or a broken header is named in one sentence, and not overwritten."""
    path.write_bytes(content)
    engine = writing_engine(store_settings)
    with pytest.raises(DatabaseProblem, match="is no SQLite database, or it is damaged"):
        upgrade(engine, path)
    engine.dispose()
    assert path.read_bytes() == content


def test_damage_inside_is_found_by_the_check(store_settings: Store, path: Path, make: Make) -> None:
    """Pages that were overwritten are found at the start and not by the first unlucky reader."""
    engine = writing_engine(store_settings)
    upgrade(engine, path)
    Writer(engine).write([make.batch(*[f"{n}.png" for n in range(2000)])])
    check(engine, path)
    engine.dispose()
    content = bytearray(path.read_bytes())
    content[-40960:-20480] = b"\xaa" * 20480
    path.write_bytes(content)
    with pytest.raises(DatabaseProblem, match="damaged"):
        check(engine, path)
    engine.dispose()


def test_backup_of_a_failed_upgrade_is_replaced(
    store_settings: Store, path: Path, tmp_path: Path, make: Make
) -> None:
    """After a failed upgrade and more rows, the next backup holds them too."""
    engine = writing_engine(store_settings)
    upgrade(engine, path)
    broken = later(tmp_path / "broken", "SELECT * FROM nowhere")
    with pytest.raises(sa.exc.OperationalError):
        upgrade(engine, path, revision="0004", migrations=broken)
    Writer(engine).write([make.batch("a.png")])
    upgrade(engine, path, revision="0004", migrations=later(tmp_path))
    engine.dispose()
    with closing(sqlite3.connect(f"{path}.before-0004")) as backup:
        assert backup.execute("SELECT image FROM predictions").fetchall() == [("a.png",)]
    assert sorted(file.name for file in tmp_path.glob("*.before-*")) == ["store.db.before-0004"]


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("nonsense", "expected a URL"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("oracle9://x/y", "oracle9"),
    ],
)
def test_url_that_is_none_is_named(url: str, sentence: str) -> None:
    """A wrong URL is one sentence for the administrator."""
    with pytest.raises(DatabaseProblem, match=sentence):
        writing_engine(Store(url=url))


def test_first_schema_keeps_its_rows_and_gets_their_sums(engine: sa.Engine) -> None:
    """What an older release stored is counted as what comes now would be."""
    with engine.begin() as connection:
        _drop_views(connection)
        metadata.drop_all(connection)
        connection.exec_driver_sql("DROP TABLE alembic_version")
        _migrate(connection, "0001", MIGRATIONS)
        for statement in FIRST_ROWS:
            connection.exec_driver_sql(statement)

    assert "0001" == upgrade(engine, None)

    with engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT suspect, trusted_confidence, trusted_variance FROM jobs")
        assert [(1, 0.75, 0.1875)] == [tuple(row) for row in found]
        found = connection.exec_driver_sql(
            "SELECT label, suspect, trusted_confidence FROM class_confidence ORDER BY label"
        )
        assert [("Bag", 0, 0.75), ("Coat", 1, 0.0)] == [tuple(row) for row in found]
        assert 2 == connection.exec_driver_sql("SELECT count(*) FROM v_predictions").scalar_one()


FIRST_ROWS = (
    "INSERT INTO jobs (job_id, source, opened_at, stored) VALUES ('j1', 'shop', '2026', 2)",
    "INSERT INTO batches (id, job_id, batch_id, predicted_at, stored_at) VALUES (1, 'j1', 'b1', '26', '26')",
    """INSERT INTO predictions (job_id, image, label, confidence, verdict, model_version, predicted_at, batch)
VALUES ('j1', 'a', 'Bag', 0.75, 'ok', 'm', '26', 1), ('j1', 'b', 'Coat', 0.5, 'suspect', 'm', '26', 1)""",
    "INSERT INTO class_confidence (job_id, label, images, mean_confidence) VALUES ('j1', 'Bag', 1, 0.75)",
    "INSERT INTO class_confidence (job_id, label, images, mean_confidence) VALUES ('j1', 'Coat', 1, 0.5)",
)
