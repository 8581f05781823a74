"""Names made safe and limits, before a byte has come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.places import Ignored
from broker.settings import IngestAgent
from dashboard.declared import Limits, Refused, folder_name, planned, safe_name

IGNORED = Ignored(IngestAgent().ignore)
LIMITS = Limits(files=10, file_bytes=1000, whole_bytes=3000)


def paths(*declared: str, limits: Limits = LIMITS) -> list[str]:
    """Return the safe paths of those that are taken."""
    plan = planned([(path, 1) for path in declared], limits, IGNORED)
    return [one.path for one in plan.files.values()]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("grün \U0001f457.png", "grün \U0001f457.png"),
        ("a\nb\x7f.png", "a_b_.png"),
        ("..\\..\\a.png", "_.._a.png"),
        ("photo\u202egpj.exe", "photo_gpj.exe"),
        ("\ud800.png", "_.png"),
        ("CON.png", "_CON.png"),
        ("com1", "_com1"),
        ("console.png", "console.png"),
        ("...", "unnamed"),
        ("   ", "unnamed"),
        ("a" * 300 + ".jpeg", "a" * 250 + ".jpeg"),
        ("ü" * 200 + ".png", "ü" * 125 + ".png"),
    ],
)
def test_name_is_made_safe(name: str, expected: str) -> None:
    """No control characters, no device's name, no more than a file system takes."""
    assert expected == safe_name(name)


@given(st.text())
def test_any_name_becomes_one_level(name: str) -> None:
    """Whatever a browser tells."""
    made = safe_name(name)
    assert made == safe_name(made)
    assert not {"/", "\\", "\0", "\n"} & set(made)
    assert 0 < len(made.encode()) <= 255
    assert not made.startswith(".")


@pytest.mark.parametrize("path", ["../a.png", "/etc/a.png", "a/../../b.png", "a//b.png", "", "./a.png"])
def test_path_that_leads_elsewhere_is_left_out(path: str) -> None:
    """With the others taken all the same."""
    plan = planned([(path, 1), ("good.png", 1)], LIMITS, IGNORED)
    assert [1] == list(plan.files)
    assert {0: "Its path leads out of the folder."} == plan.left_out


@pytest.mark.parametrize(
    "path", ["results.csv", ".DS_Store", "bags/._a.jpg", "a.part", ".git/a.png", "Thumbs.db", "@eaDir/a.jpg"]
)
def test_what_the_agent_passes_over_is_left_out(path: str) -> None:
    """And said, instead of waited for."""
    plan = planned([(path, 1)], LIMITS, IGNORED)
    assert {0: "Files called like that are never images; the agent passes them over."} == plan.left_out


def test_names_that_become_the_same_are_numbered() -> None:
    """Letters' case aside, as some disks see it; a folder stays one folder."""
    assert ["a_.png", "a_-2.png", "A_-3.PNG"] == paths("a\n.png", "a\r.png", "A_.PNG")
    assert ["x/a.png", "x/b.png", "X-2/a.png", "x-3"] == paths("x/a.png", "x/b.png", "X/a.png", "x")


def test_whole_is_refused_above_its_limits() -> None:
    """Too many, or too much, in one sentence; a single file that is too large is left out alone."""
    with pytest.raises(Refused, match=r"^11 files are too many: at most 10 at a time\.$"):
        paths(*[f"{n}.png" for n in range(11)])
    with pytest.raises(Refused, match=r"^4\skB are too much: at most 3\skB at a time\.$"):
        planned([(f"{n}.png", 1000) for n in range(4)], LIMITS, IGNORED)
    plan = planned([("a.png", 1001), ("b.png", 1000), ("c.png", -1)], LIMITS, IGNORED)
    assert [1] == list(plan.files)
    assert "It has 1 kB; at most 1 kB are read." == plan.left_out[0].replace("\N{NO-BREAK SPACE}", " ")


def test_path_that_is_too_long_or_too_deep_is_left_out() -> None:
    """No file system is asked to take it."""
    assert [] == paths("/".join(["a"] * 40), "/".join(["b" * 250] * 5))


@pytest.mark.parametrize(
    ("name", "expected"), [("spring", "spring"), ("../spring", "_spring"), (" .spring ", "spring")]
)
def test_folder_has_a_safe_name(name: str, expected: str) -> None:
    """Of one level, and not hidden."""
    assert expected == folder_name(name, IGNORED)


@pytest.mark.parametrize("name", ["", "  ", "spring~", "x.tmp"])
def test_folder_that_would_not_be_seen_is_refused(name: str) -> None:
    """It would lie in the inbox for ever."""
    with pytest.raises(Refused, match="name"):
        folder_name(name, IGNORED)
