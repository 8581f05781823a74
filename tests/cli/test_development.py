"""What `test` and `check` hand to pytest."""

from cli.development import SHARED, _pytest


def test_all_tests_are_shared_and_some_are_not() -> None:
    """A worker for each core, unless somebody asks for something: for one file, or for a debugger."""
    assert ["pytest", *SHARED] == _pytest([])
    assert ["pytest", "-k", "ledger", "--pdb"] == _pytest(["-k", "ledger", "--pdb"])
