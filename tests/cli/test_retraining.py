"""Training beside the line begins with the alert, and ends with the gate."""

from pathlib import Path

import pytest

from broker.messages import Alert
from broker.settings import Model, Monitor, Paths, Settings
from cli import retraining
from cli.errors import CannotRun
from cli.given import Given
from cli.retraining import Retraining
from tests.waiting import until

AT = "2026-11-22T14:00:00.000Z"
COMMANDS = """
import pathlib, sys
pathlib.Path({calls!r}).open("a").write(" ".join(sys.argv[1:]) + "\\n")
if "train" in sys.argv:
    print("12 reviewed images to learn from")
    print("bundle  /somewhere/bundles/v2")
else:
    print("v2 is not promoted: accuracy falls")
    sys.exit(1)
"""


def settings(folder: Path, data: str = "/data", retrain: str = "auto") -> Settings:
    """Return settings with a state of their own."""
    (folder / "log").mkdir(exist_ok=True)
    return Settings(
        paths=Paths(state=folder),
        model=Model(training_data=data),
        monitor=Monitor(retrain=retrain),  # type: ignore[arg-type]
    )


def alert(rule: str = "retrain") -> Alert:
    """Return an alert that opens."""
    return Alert(
        alert_id="a", rule=rule, subject="", state="open", value=200.0, bound=200.0, detail="", opened_at=AT
    )


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that tells which commands were run; a package `cli` of this test's own runs them."""
    own = tmp_path / "own" / "cli"
    own.mkdir(parents=True)
    (own / "__init__.py").touch()
    file = tmp_path / "calls"
    (own / "__main__.py").write_text(COMMANDS.format(calls=str(file)))
    monkeypatch.setattr(retraining, "PROJECT", tmp_path / "own")
    monkeypatch.chdir(tmp_path / "own")
    return file


def test_alert_trains_once_and_asks_the_gate(tmp_path: Path, calls: Path) -> None:
    """The candidate is promoted by the command that holds it to the gate; what the gate says is told."""
    said: list[str] = []
    with Retraining(Given(), settings(tmp_path), said.append) as found:
        found.hear(alert("disk"))
        found.hear(alert())
        found.hear(alert())

        def ended() -> bool:
            found.step()
            return any(text.startswith("promotion") for text in said)

        until(ended)

    assert ["train --with-reviews --data /data", "models promote v2 --data /data"] == (
        calls.read_text().splitlines()
    )
    assert "promotion ended in vain: v2 is not promoted: accuracy falls" == said[-1]


def test_nothing_is_trained_unless_it_is_wanted(tmp_path: Path, calls: Path) -> None:
    """`propose` leaves it to people."""
    with Retraining(Given(), settings(tmp_path, retrain="propose"), print) as found:
        found.hear(alert())
        found.step()

    assert not calls.exists()


def test_auto_without_data_is_refused_in_one_line(tmp_path: Path) -> None:
    """The line names both keys."""
    with pytest.raises(CannotRun, match=r"\[monitor\] retrain = .auto. needs \[model\] training_data"):
        Retraining(Given(), settings(tmp_path, data=""), print)
