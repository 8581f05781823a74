"""Who may import whom, and where each outside package has its one home: the house's plan as a test."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
PACKAGES = ("broker", "model", "ingest_agent", "predictor_service", "store", "dashboard", "cli")

# package -> what it may import of ours; a name with dots allows that module only.
MAY_IMPORT = {
    "broker": set[str](),
    "model": set[str](),
    "ingest_agent": {"broker", "model.preprocessing", "model.manifest"},
    "predictor_service": {"broker", "model"},
    "store": {"broker"},
    "dashboard": {"broker", "store", "model.manifest"},
    "cli": set(PACKAGES),
}
ONLY_HOME = {
    "argon2": "dashboard",
    "paho": "broker",
    "msgspec": "broker",
    "cryptography": "broker",
    "prometheus_client": "broker",
    "tensorflow": "model",
    "keras": "model",
    "openvino": "model",
    "nncf": "model",
    "onnxruntime": "model",
    "cv2": "model",
    "watchdog": "ingest_agent",
    "sqlalchemy": "store",
    "alembic": "store",
    "pandas": "store",
    "nicegui": "dashboard",
    "fastapi": "dashboard",
    "starlette": "dashboard",
    "uvicorn": "dashboard",
    "jinja2": "cli",
    "markupsafe": "dashboard",
    "typer": "cli",
    "rich": "cli",
}
HEAVY = ("tensorflow", "keras", "pandas", "openvino", "onnxruntime")


def imports_of(file: Path) -> Iterator[str]:
    """Yield the full names that a file imports, inside functions as well."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"), str(file))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            assert node.level == 0, f"{file}: imports are written with their full names"
            yield from (f"{node.module}.{name.name}" for name in node.names)


def imports_by_file(package: str) -> Iterator[tuple[str, str]]:
    """Yield every file of a package with each name it imports."""
    for file in sorted((PROJECT / package).rglob("*.py")):
        for name in imports_of(file):
            yield str(file.relative_to(PROJECT)), name


def within(name: str, allowed: set[str]) -> bool:
    """Tell whether an imported name is one of the allowed packages or modules, or stands in one."""
    return any(name == one or name.startswith(f"{one}.") for one in allowed)


@pytest.mark.parametrize("package", PACKAGES)
def test_package_imports_only_what_it_may(package: str) -> None:
    """Services never import each other; `broker` and `model` import nothing of ours."""
    allowed = MAY_IMPORT[package] | {package}
    wrong = [
        f"{file} imports {name}"
        for file, name in imports_by_file(package)
        if name.split(".")[0] in PACKAGES and not within(name, allowed)
    ]
    assert [] == wrong


@pytest.mark.parametrize("package", PACKAGES)
def test_outside_package_has_one_home(package: str) -> None:
    """Each library is met in one package, so that it can be replaced there."""
    wrong = [
        f"{file} imports {name}, whose home is {ONLY_HOME[name.split('.')[0]]}"
        for file, name in imports_by_file(package)
        if ONLY_HOME.get(name.split(".")[0], package) != package
    ]
    assert [] == wrong


def modules_of(package: str) -> list[str]:
    """Return the names of a package's modules, without those that act when they are imported."""
    files = sorted((PROJECT / package).rglob("*.py"))
    names = [".".join(file.relative_to(PROJECT).with_suffix("").parts) for file in files]
    acting = ("__main__", "env")
    return [
        name.removesuffix(".__init__")
        for name in names
        if name.rsplit(".", 1)[-1] not in acting and "versions" not in name.split(".")
    ]


@pytest.mark.parametrize("package", ["broker", "ingest_agent", "store", "dashboard"])
def test_importing_a_light_package_loads_nothing_heavy(package: str) -> None:
    """Agent and store stay small: no TensorFlow, no engine, and pandas only while exporting."""
    script = "\n".join(
        [
            "import importlib, sys",
            f"for name in {modules_of(package)!r}: importlib.import_module(name)",
            f"print(' '.join(name for name in {HEAVY!r} if name in sys.modules))",
        ]
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert "" == done.stderr
    assert "" == done.stdout.strip()


def test_accounts_are_written_without_the_page() -> None:
    """`account` needs what hashes passwords, and nothing of the web."""
    script = (
        "import sys, dashboard.accounts; print([n for n in ('nicegui', 'starlette') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert "[]" == done.stdout.strip()
