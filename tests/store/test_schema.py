"""The schema that people write SQL against: a changed byte is a new revision."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from broker.settings import Store
from store.database import file_of, writing_engine
from store.schema import CLASSES, REVISION, metadata
from store.upgrading import MIGRATIONS, upgrade

GOLDEN = Path(__file__).parent / "golden" / "schema.sql"


def made(store_settings: Store) -> dict[str, str]:
    """Return the statements that made everything in a new database, one line each, by name."""
    engine = writing_engine(store_settings)
    path = file_of(store_settings.url)
    assert path is not None
    upgrade(engine, path)
    engine.dispose()
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql NOT NULL ORDER BY name")
        return {name: " ".join(sql.split()) for name, sql in found}


def structure(connection: sqlite3.Connection, table: str) -> dict[str, object]:
    """What SQLite says of a table. Its text alone would not do: ALTER TABLE puts columns behind checks."""
    queries = ("table_xinfo", "foreign_key_list", "index_list")
    found: dict[str, object] = {
        query: connection.execute(f"PRAGMA {query}({table})").fetchall() for query in queries
    }
    text = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0]
    found["checks"] = re.findall(r"CONSTRAINT \w+ (?:CHECK|UNIQUE) \([^)]*\)+", text)
    found["kind"] = re.findall(r"WITHOUT ROWID|STRICT", text)
    return found


def test_schema_is_the_golden_one(store_settings: Store) -> None:
    """The tables and views are those that the reference tells."""
    found = "".join(f"{sql};\n" for sql in made(store_settings).values())
    assert found == GOLDEN.read_text(encoding="utf-8")


def test_tables_of_the_code_are_those_of_the_migrations(store_settings: Store) -> None:
    """What SQLAlchemy believes is what the migrations made."""
    made(store_settings)
    path = file_of(store_settings.url)
    assert path is not None
    with closing(sqlite3.connect(path)) as connection, closing(sqlite3.connect(":memory:")) as bare:
        for table in metadata.sorted_tables:
            bare.execute(str(CreateTable(table).compile(dialect=sqlite.dialect())))
            for index in table.indexes:
                bare.execute(str(CreateIndex(index).compile(dialect=sqlite.dialect())))
        for table in metadata.sorted_tables:
            assert structure(bare, table.name) == structure(connection, table.name)


def test_tables_are_those_of_the_code_on_every_database(engine: sa.Engine) -> None:
    """Names, types and keys agree with SQLAlchemy's, on PostgreSQL too."""
    found = sa.MetaData()
    with engine.connect() as connection:
        found.reflect(connection)
    for table in metadata.sorted_tables:
        reflected = found.tables[table.name]
        theirs = [(c.name, c.type.compile(engine.dialect), c.nullable) for c in reflected.columns]
        ours = [(c.name, c.type.compile(engine.dialect), c.nullable) for c in table.columns]
        assert theirs == ours
        assert {c.name for c in reflected.primary_key} == {c.name for c in table.primary_key}


def test_revision_is_the_newest_of_the_migrations() -> None:
    """The code names the revision that the migrations end at, and they form one line."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    assert script.get_heads() == [REVISION]


def test_classes_are_the_model_owners() -> None:
    """Ten classes have a column, in Fashion-MNIST's order."""
    assert (len(CLASSES), CLASSES[0], CLASSES[-1]) == (10, "T-shirt/top", "Ankle boot")
