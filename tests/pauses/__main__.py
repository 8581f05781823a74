"""Run tests while what they start pauses at random: `python -m tests.pauses [--scale S] [-- ARGUMENTS]`.

The arguments are pytest's. A pause costs no processor, so several workers may share a core: `-- -n 4 tests`.
"""

import argparse
import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

from broker.settings_reader import PROJECT

PAUSING = Path(__file__).with_name("pausing.py")


def main() -> int:
    """Run pytest on a Python that pauses, and return its exit code."""
    parser = argparse.ArgumentParser(prog="pauses", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0, help="how long pauses are [1]")
    parser.add_argument("arguments", nargs="*", help="for pytest [tests]")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        python = pausing_python(Path(folder) / "venv", options.scale)
        command = [python, "-m", "pytest", *(options.arguments or ["tests"])]
        environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
        return subprocess.run(command, cwd=PROJECT, env=environment, check=False).returncode


def pausing_python(folder: Path, scale: float) -> str:
    """Make an environment with the packages of this one, whose processes pause; return its Python."""
    venv.create(folder, symlinks=True)
    own = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
    begin = (
        "import importlib.util as u;"
        f" s = u.spec_from_file_location('tailorbird_pausing', {str(PAUSING)!r});"
        f" m = u.module_from_spec(s); s.loader.exec_module(m); m.begin({scale!r})"
    )
    lines = [f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})", begin]
    Path(own, "pauses.pth").write_text("\n".join(lines) + "\n")
    return str(folder / "bin" / "python")


if __name__ == "__main__":
    sys.exit(main())
