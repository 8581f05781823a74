"""What the store's tests share: databases (SQLite, and PostgreSQL where it is) and a store on a line."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from broker.settings import Store
from store import database
from store.database import writing_engine
from store.upgrading import upgrade
from store.writer import Writer
from tests.store.workbench import Bench, Make, Rows, at_work

NOBODY = 65_534


@pytest.fixture
def make() -> Make:
    """Messages with sensible fields."""
    return Make()


@pytest.fixture
def store_settings(tmp_path: Path) -> Store:
    """Settings for an SQLite file that does not exist yet."""
    return Store(url=f"sqlite:///{tmp_path}/store.db", min_free_mb=0)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server of this run's own, reached by a Unix socket; the URL of its database."""
    pytest.importorskip("psycopg", reason="PostgreSQL's driver is not installed")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        pytest.skip("PostgreSQL is not installed")
    # The server refuses to run as root, and its socket's path may have 107 bytes only.
    owner = "postgres" if os.geteuid() == 0 else None
    folder = Path(
        subprocess.check_output(["mktemp", "-d", "/tmp/store-pg.XXXXXX"], text=True, user=owner).strip()
    )

    def run(program: str, *arguments: str) -> None:
        command = [str(found[-1] / program), "-D", str(folder / "data"), *arguments]
        subprocess.run(command, check=True, capture_output=True, user=owner, cwd=folder)

    run("initdb", "-U", "tailorbird", "-A", "trust", "-E", "UTF8", "--locale", "C", "--no-sync")
    run("pg_ctl", "start", "-w", "-l", str(folder / "log"), "-o", f"-k {folder} -c listen_addresses= -F")
    try:
        yield f"postgresql+psycopg://tailorbird@/postgres?host={folder}"
    finally:
        run("pg_ctl", "stop", "-m", "immediate")
        subprocess.run(["rm", "-rf", str(folder)], check=True)


@pytest.fixture
def postgres_settings(postgres: str) -> Store:
    """Settings for an empty schema of its own."""
    engine = sa.create_engine(postgres, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP SCHEMA IF EXISTS one CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA one")
    engine.dispose()
    return Store(url=f"{postgres}&options=-csearch_path%3Done", min_free_mb=0)


@pytest.fixture(params=["sqlite", "postgresql"])
def anywhere(request: pytest.FixtureRequest) -> Store:
    """Settings for an empty database of each kind."""
    name = "store_settings" if request.param == "sqlite" else "postgres_settings"
    found: Store = request.getfixturevalue(name)
    return found


@pytest.fixture
def engine(anywhere: Store) -> Iterator[sa.Engine]:
    """The store's own engine on a new database of each kind."""
    made = writing_engine(anywhere)
    upgrade(made, database.file_of(anywhere.url))
    yield made
    made.dispose()


@pytest.fixture
def writer(engine: sa.Engine) -> Writer:
    """The writer of a new database."""
    return Writer(engine)


@pytest.fixture
def rows(engine: sa.Engine) -> Rows:
    """Return all rows of a table, or of some of its columns, sorted as Python sorts."""

    def rows_of(table: str, columns: str = "*") -> list[tuple[Any, ...]]:
        with engine.connect() as connection:
            found = connection.exec_driver_sql(f"SELECT {columns} FROM {table}")
            return sorted((tuple(row) for row in found), key=repr)

    return rows_of


@pytest.fixture
def bench(store_settings: Store) -> Iterator[Bench]:
    """A store on a line, its database open."""
    with at_work(store_settings) as made:
        yield made


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder of somebody who is not root, as whom the test runs: permissions mean nothing to root."""
    folder = Path(tempfile.mkdtemp(prefix="store-"))
    was_root = os.geteuid() == 0
    if was_root:
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    try:
        Path(__file__).stat()  # the migrations are read by whoever runs the test
        yield folder
    except PermissionError:
        pytest.skip("only root may look into the folder that this project lies in")
    finally:
        if was_root:
            os.seteuid(0)
        folder.chmod(0o700)
        shutil.rmtree(folder)
