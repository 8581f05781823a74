"""Whatever a broker loses, repeats, delays or reorders, each image is stored once."""

import contextlib
import random
import shutil
import sqlite3
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from numpy.typing import NDArray

from broker.connection import Delivery
from broker.line import Line
from broker.memory import Fate, MemoryBroker, MemoryConnection
from broker.settings import IngestAgent, Paths, Settings, Store
from broker.topics import Topics
from ingest_agent.__main__ import subscriptions as agent_subscriptions
from ingest_agent.agent import Agent
from model.classifier import Classified
from model.preprocessing import InputSpec
from predictor_service.__main__ import announce
from predictor_service.poison import PoisonNotes
from predictor_service.service import Predictor
from store.intake import subscriptions as store_subscriptions
from store.schema import CLASSES
from store.service import StoreService
from tests.chaos.pictures import no_picture, picture

TOPICS = Topics("t")
HEALED_S = 60.0


class Even:
    """A model that finds every class as likely as any other."""

    version = "even-1"
    engine = "none"
    classes: tuple[str, ...] = CLASSES
    input = InputSpec()
    expectations: dict[str, object] = {}  # noqa: RUF012  it is never changed

    def classify(self, pixels: NDArray[np.uint8]) -> Classified:
        """Answer without looking."""
        n = len(pixels)
        return Classified(np.full((n, 10), 0.1, np.float32), np.zeros(n, np.intp), ["ok"] * n, [()] * n)


class DeliveryMachine(RuleBasedStateMachine):
    """The three services on a broker that does as it likes; time is real, and every timeout short."""

    @initialize(seed=st.integers(0, 2**32))
    def start(self, seed: int) -> None:
        """Bring the line up."""
        self.rng = random.Random(seed)
        self.folder = Path(tempfile.mkdtemp(prefix="tailorbird-delivery-"))
        self.stack = contextlib.ExitStack()
        own = IngestAgent(
            inbox=self.folder / "inbox",
            settle_s=0.0,
            give_up_s=0.05,
            quiet_s=0.0,
            linger_ms=1.0,
            batch_images=3,
            window=4,
            rescan_s=0.2,
            resend_min_s=0.05,
            resend_max_s=0.2,
            canary_s=0.0,
        )
        self.settings = Settings(
            paths=Paths(state=self.folder),
            ingest_agent=own,
            store=Store(url=f"sqlite:///{self.folder}/rows.db", min_free_mb=0),
        )
        (self.folder / "inbox").mkdir()
        self.broker = MemoryBroker()
        self.fates: tuple[Fate, ...] = ("pass",)
        self.broker.fault = self._fate
        self.dropped: set[tuple[str, str]] = set()
        self._start_store()
        self._start_predictor()
        self._start_agent()

    def _fate(self, _client: str, delivery: Delivery) -> Fate:
        known = TOPICS.kind(delivery.topic) in {"pixels", "predictions", "receipts", "failures", "jobs"}
        return self.rng.choice(self.fates) if known else "pass"

    def _line(self, service: str, subscriptions: list[str]) -> tuple[MemoryConnection, Line]:
        connection = self.broker.connect(service, subscriptions)
        return connection, Line(connection, TOPICS, service=service, instance="main")

    def _start_agent(self) -> None:
        wanted = [*agent_subscriptions(self.settings, TOPICS)]
        self.agent_connection, line = self._line("ingest_agent", wanted)
        line.__enter__()
        self.agent = Agent(self.settings, line)
        self.agent.__enter__()

    def _start_predictor(self) -> None:
        self.predictor_connection, line = self._line("predictor_service", [TOPICS.shared(TOPICS.pixels())])
        line.__enter__()
        notes = self.stack.enter_context(PoisonNotes(self.folder / "notes", str(self.rng.random())))
        self.predictor = Predictor(line, Even(), notes)
        announce(line, Even())  # type: ignore[arg-type]

    def _start_store(self) -> None:
        self.store_connection, line = self._line("store", store_subscriptions(TOPICS))
        line.__enter__()
        self.store = StoreService(self.settings.store, line)
        self.store.open()

    @rule(folder=st.sampled_from(["", "a", "b", "a/deep"]), bad=st.booleans(), many=st.integers(1, 5))
    def drop(self, folder: str, bad: bool, many: int) -> None:  # noqa: FBT001 - drawn
        """Drop some files."""
        place = self.folder / "inbox" / folder
        place.mkdir(parents=True, exist_ok=True)
        for _ in range(many):
            name = f"{self.rng.getrandbits(48):012x}.png"
            content = no_picture(self.rng) if bad else picture(self.rng)
            (place / f".{name}").write_bytes(content)
            (place / f".{name}").rename(place / name)
            top, _, below = folder.partition("/")
            self.dropped.add((top, f"{below}/{name}" if below else name))

    @rule()
    def work(self) -> None:
        """Let everybody do a little."""
        self.agent.turn()
        self.predictor.step(0.0)
        self.store.step(0.0)

    @rule(
        fates=st.lists(st.sampled_from(["pass", "lose", "repeat", "hold"]), min_size=1, max_size=4).map(tuple)
    )
    def misbehave(self, fates: tuple[Fate, ...]) -> None:
        """From now on the broker does one of these with each message."""
        self.fates = fates

    @rule()
    def release(self) -> None:
        """What was held comes now, out of order."""
        self.broker.release()

    @rule()
    def broker_dies(self) -> None:
        """The broker dies, forgets everything, and is there again."""
        self.broker.go_away(forget=True)
        self.agent.turn()
        self.broker.come_back()

    @rule()
    def agent_dies(self) -> None:
        """The agent dies and starts again."""
        self.agent_connection.die()
        self.agent.__exit__(None, None, None)
        self._start_agent()

    @rule()
    def predictor_dies(self) -> None:
        """The predictor dies and starts again."""
        self.predictor_connection.die()
        self._start_predictor()

    @rule()
    def store_dies(self) -> None:
        """The store dies between two transactions and starts again."""
        self.store_connection.die()
        self.store.close()
        self._start_store()

    def _ask(self, sql: str, file: str = "rows.db") -> list[tuple[object, ...]]:
        with contextlib.closing(sqlite3.connect(self.folder / file)) as database:
            return database.execute(sql).fetchall()

    def _done(self) -> bool:
        """Tell whether every row is there, every job closed, and the ledger without an unanswered batch."""
        still_open = self._ask("SELECT 1 FROM jobs WHERE state <> 'closed'")
        unanswered = self._ask("SELECT 1 FROM batches", "agent/shop.db")
        return not still_open and not unanswered and set(self._rows()) == self.dropped

    def _rows(self) -> Counter[tuple[str, str]]:
        found = self._ask(
            "SELECT folder, image FROM (SELECT job_id, image FROM predictions"
            " UNION ALL SELECT job_id, image FROM failures) JOIN jobs USING (job_id)"
        )
        return Counter((str(folder), str(image)) for folder, image in found)

    def teardown(self) -> None:
        """Once the broker behaves again, every file has exactly one row."""
        if not hasattr(self, "agent"):
            return
        self.fates = ("pass",)
        deadline = time.monotonic() + HEALED_S
        while not self._done() and time.monotonic() < deadline:
            self.work()
        rows = self._rows()
        jobs = self._ask("SELECT state, images, images = sent AND sent = stored + failed FROM jobs")
        self.agent.__exit__(None, None, None)
        self.store.close()
        self.stack.close()
        shutil.rmtree(self.folder)
        assert dict.fromkeys(self.dropped, 1) == dict(rows)
        assert {("closed", 1)} >= {(state, counts) for state, _, counts in jobs}
        assert len(self.dropped) == sum(int(str(images)) for _, images, _ in jobs)


DeliveryMachine.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestDelivery = pytest.mark.timeout(300)(pytest.mark.slow(DeliveryMachine.TestCase))
