"""Which errors are the world's and which a message's own, told by errors as the drivers raise them."""

import random
import sqlite3
import string
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from broker.settings import Store
from store.database import TROUBLES, file_of, reading_engine, shown, trouble, unclear, writing_engine
from store.errors import DatabaseProblem
from store.upgrading import upgrade
from store.writer import Writer
from tests.store.workbench import Make, Rows, at_work


def raised(engine: sa.Engine, statement: str) -> Exception:
    """Return what a statement raises."""
    with pytest.raises(sa.exc.SQLAlchemyError) as found, engine.begin() as connection:
        connection.exec_driver_sql(statement)
    return found.value


def test_breach_of_a_constraint_is_the_messages(engine: sa.Engine) -> None:
    """A row that no table takes is nobody else's fault."""
    assert trouble(raised(engine, "INSERT INTO failures (job_id) VALUES (NULL)")) is None


def test_read_only_is_the_worlds(engine: sa.Engine, anywhere: Store) -> None:
    """A database that cannot be written to will be, one day."""
    reader = reading_engine(anywhere)
    assert trouble(raised(reader, "DELETE FROM failures")) == "database-read-only"
    reader.dispose()


def test_missing_table_is_the_worlds(engine: sa.Engine) -> None:
    """No message is put aside because somebody dropped a table."""
    assert trouble(raised(engine, "SELECT * FROM nowhere")) == "database-away"


def test_statement_beyond_a_limit_is_unclear(store_settings: Store) -> None:
    """What SQLite calls no more than an error is told from a table that somebody dropped."""
    engine = writing_engine(store_settings)
    many = ", ".join("?" * 300_000)
    with pytest.raises(sa.exc.OperationalError) as found, engine.begin() as connection:
        connection.exec_driver_sql(f"SELECT 1 WHERE 1 IN ({many})", tuple(range(300_000)))
    assert [True, False] == [unclear(found.value), unclear(raised(engine, "SELECT * FROM nowhere"))]
    engine.dispose()


def test_lock_is_the_worlds(store_settings: Store) -> None:
    """Another connection's lock is told by its own word."""
    quick = Store(url=store_settings.url, busy_timeout_s=0)
    engine = writing_engine(quick)
    upgrade(engine, file_of(quick.url))
    with closing(sqlite3.connect(file_of(quick.url) or "", isolation_level=None)) as blocker:
        blocker.execute("BEGIN IMMEDIATE")
        assert trouble(raised(engine, "SELECT 1")) == "database-locked"
    engine.dispose()


def test_folder_in_the_files_place_is_the_worlds(tmp_path: Path) -> None:
    """What cannot be opened may be opened later."""
    engine = writing_engine(Store(url=f"sqlite:///{tmp_path}"))
    assert trouble(raised(engine, "SELECT 1")) == "database-unreadable"
    engine.dispose()


def test_folder_that_cannot_be_made_is_the_worlds(tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "file").touch()
    engine = writing_engine(Store(url=f"sqlite:///{tmp_path}/file/store.db"))
    with pytest.raises(OSError, match=r"Not a directory|File exists") as found:
        engine.connect()
    assert trouble(found.value) == "database-unreadable"


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (ValueError("x"), None),
        (KeyError("x"), None),
        (FileNotFoundError("x"), "database-missing"),
        (PermissionError("x"), "database-unreadable"),
        (DatabaseProblem("x"), "database-unfit"),
        (sa.exc.TimeoutError("x"), "database-away"),
    ],
)
def test_errors_without_a_driver(error: Exception, word: str | None) -> None:
    """What Python itself raises."""
    assert trouble(error) == word


def test_every_word_is_one_that_ends(engine: sa.Engine) -> None:
    """The service ends every trouble that it can begin."""
    assert trouble(PermissionError("x")) in TROUBLES
    assert trouble(raised(engine, "SELECT * FROM nowhere")) in TROUBLES


def test_password_is_not_shown() -> None:
    """A URL in a message or a status holds no secret."""
    assert shown("postgresql+psycopg://me:secret@host/db") == "postgresql+psycopg://me:***@host/db"


def test_name_beyond_an_index_is_the_messages(postgres_settings: Store, make: Make) -> None:
    """PostgreSQL's index takes no name of 4,000 random characters: that batch alone is put aside."""
    rng = random.Random(1)
    name = "".join(rng.choice(string.printable[:94]) for _ in range(4000))
    with at_work(postgres_settings) as bench:
        bench.send(make.batch("a.png"), make.batch(name, batch="b2"), make.batch("b.png", batch="b3"))
        bench.work(3)
        assert sorted(receipt.batch_id for receipt in bench.receipts()) == ["b1", "b3"]
        assert bench.unacknowledged == 0


def test_lost_connection_is_waited_for(postgres_settings: Store, make: Make) -> None:
    """A server that ends the connection is asked again, and nothing is lost."""
    with at_work(postgres_settings) as bench:
        other = sa.create_engine(postgres_settings.url)
        with other.begin() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            )
        other.dispose()
        bench.send(make.batch("a.png"))
        bench.work(2)
        assert [receipt.batch_id for receipt in bench.receipts()] == ["b1"]
        assert bench.unacknowledged == 0


def test_columns_keep_their_width(writer: Writer, rows: Rows, make: Make) -> None:
    """Large counts and exact confidences come back as they went in, on every database."""
    writer.write(
        [make.batch(make.prediction("a.png", confidence=0.123456789012345)), make.progress("open", 2**53)]
    )
    assert rows("predictions", "confidence") == [(0.123456789012345,)]
    assert rows("jobs", "images") == [(2**53,)]
