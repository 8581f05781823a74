"""Every trouble that the code begins is one during which images flow, or one during which they wait."""

import ast
from collections.abc import Iterator
from pathlib import Path

from broker.health import GOES_ON, WAITS
from broker.line import LISTENERS
from broker.mqtt_words import KINDS
from store.database import TROUBLES

PROJECT = Path(__file__).resolve().parents[2]
SERVICES = ("broker", "ingest_agent", "predictor_service", "store")
# Where the word is a variable: notices of the connection, and the database's errors.
NAMED_ELSEWHERE = {("broker/line.py", "trouble"), ("broker/line.py", "f'no-{listener}'")}
NAMED_ELSEWHERE |= {("store/service.py", "word")}


def begun(file: Path) -> Iterator[str | tuple[str, str]]:
    """Yield the words with which a file begins troubles; for what is no word, the file and the expression."""
    tree = ast.parse(file.read_text("utf-8"))
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        owner = ast.unparse(node.func.value)
        is_line = owner.endswith("line") or (owner == "self" and file.name == "line.py")
        if node.func.attr == "begin" and is_line:
            word = node.args[0]
            known = word.value if isinstance(word, ast.Constant) else constants.get(ast.unparse(word))
            yield str(known) if known else (str(file.relative_to(PROJECT)), ast.unparse(word))


def test_every_trouble_is_classified() -> None:
    """A new one is noticed here, and so is one that nobody begins any more."""
    found = {one for name in SERVICES for file in (PROJECT / name).rglob("*.py") for one in begun(file)}
    words = {one for one in found if isinstance(one, str)}
    assert found - words <= NAMED_ELSEWHERE
    words |= TROUBLES | (set(KINDS.values()) - {"no-subscriber"}) | {"refused"}
    words |= {f"no-{listener}" for listener in LISTENERS.values()}
    assert sorted(words) == sorted(GOES_ON | WAITS)
    assert not GOES_ON & WAITS
