"""Every engine gives the golden answers, or says in one line why it does not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from model.bundle import read_golden, seal, write_golden
from model.calibration import softmax
from model.engines import ENGINES, Engine, EngineError, open_engine
from model.manifest import BundleError, load_manifest, resolve_bundle

COUNTS = (0, 1, 7, 32, 300, 513)


def offered() -> list[str]:
    """The engines for which the committed bundle has a graph."""
    graphs = load_manifest(resolve_bundle(Path(__file__).parents[2] / "model" / "bundles")).graphs
    return [entry for entry in ENGINES if "int8" in graphs or not entry.endswith("int8")]


@pytest.fixture(scope="module", params=offered())
def engine(request: pytest.FixtureRequest, bundle: Path) -> Engine:
    """Each engine that can serve the committed bundle on this machine."""
    try:
        return open_engine(bundle, request.param, threads=1)
    except EngineError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("count", COUNTS)
def test_any_number_of_images_is_answered_like_one_by_one(engine: Engine, bundle: Path, count: int) -> None:
    """The batch's size changes nothing but rounding, the empty batch included."""
    golden = read_golden(bundle)
    chosen = np.arange(count) % len(golden.pixels)

    logits = engine.logits(golden.pixels[chosen])

    assert logits.shape == (count, 10)
    assert logits.dtype == np.float32
    if engine.precision == "f32":
        np.testing.assert_allclose(logits, golden.logits[chosen], atol=1e-3)
    distance = np.abs(softmax(logits, 1.0) - softmax(golden.logits[chosen], 1.0))
    assert distance.max(initial=0) < 0.02


def test_answers_are_the_callers_to_keep(engine: Engine, bundle: Path) -> None:
    """A second call does not change what the first returned."""
    pixels = read_golden(bundle).pixels
    first = engine.logits(pixels[:8])
    kept = first.copy()
    engine.logits(pixels[8:16])

    np.testing.assert_array_equal(kept, first)


def test_pixels_that_are_a_view_are_taken(engine: Engine, bundle: Path) -> None:
    """Pixels that do not lie in one piece give the same answers."""
    pixels = read_golden(bundle).pixels

    np.testing.assert_array_equal(engine.logits(pixels[::2]), engine.logits(pixels[::2].copy()))


def test_auto_takes_the_first_that_agrees(bundle: Path) -> None:
    """The name and the precision are told."""
    engine = open_engine(bundle)

    assert f"{engine.name}/{engine.precision}" in ENGINES


def test_an_unknown_engine_is_refused_with_those_that_are(bundle: Path) -> None:
    """The line names the engines."""
    with pytest.raises(EngineError, match=r"no engine is called 'abacus'.*openvino"):
        open_engine(bundle, "abacus")


def test_a_missing_package_is_one_line(bundle: Path) -> None:
    """What is not installed is named, in a process that hides every engine's package."""
    code = f"""
import sys
for name in ("tensorflow", "keras", "openvino", "onnxruntime"):
    sys.modules[name] = None
from pathlib import Path
from model.engines import EngineError, open_engine
try:
    open_engine(Path({str(bundle)!r}))
except EngineError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )

    for package in ("tensorflow-cpu", "openvino", "onnxruntime"):
        assert f"the package {package} is not installed" in done.stdout
    assert done.stdout.count("\n") == 1


def test_signal_after_an_engine_is_given_back_is_heard(bundle: Path) -> None:
    """A predictor that has changed its bundle ends in order at SIGTERM."""
    pytest.importorskip("openvino", reason="OpenVINO is not installed")
    code = f"""
import os, signal
from pathlib import Path
from model.classifier import Classifier
for _ in range(2):
    served = Classifier.open(Path({str(bundle)!r}), "openvino/f32")
del served
signal.signal(signal.SIGTERM, lambda *_: print("heard"))
os.kill(os.getpid(), signal.SIGTERM)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=root)
    assert (0, "heard\n") == (done.returncode, done.stdout), done.stderr


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_serving_tells_nobody_and_leaves_nothing_in_home(bundle: Path, tmp_path: Path, engine: str) -> None:
    """Both report what they are used for unless they are told not to, and keep an id in the home for it."""
    pytest.importorskip(engine, reason=f"{engine} is not installed")
    home = tmp_path / "home"
    home.mkdir()
    code = f"""
import sys
from pathlib import Path
from model.classifier import Classifier
Classifier.open(Path({str(bundle)!r}), "{engine}/f32")
print([name for name in sys.modules if name.startswith("openvino_telemetry.")])
"""
    root = Path(__file__).parents[2]
    # In a CI they report nothing by themselves.
    environment = {**os.environ, "HOME": str(home)}
    for name in ("CI", "XDG_CACHE_HOME", "ORT_DISABLE_TELEMETRY"):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, cwd=root
    )
    assert (0, "[]\n") == (done.returncode, done.stdout), done.stderr
    assert [] == list(home.iterdir())


def copied(bundle: Path, folder: Path) -> Path:
    """A bundle that a test may spoil."""
    return Path(shutil.copytree(bundle, folder / "copy"))


def test_an_engine_that_disagrees_is_refused(bundle: Path, tmp_path: Path) -> None:
    """Other golden outputs than the network's are noticed before anything is served."""
    spoilt = copied(bundle, tmp_path)
    golden = read_golden(spoilt)
    write_golden(spoilt, type(golden)(golden.pixels, np.roll(golden.logits, 1, axis=1)))
    seal(spoilt, load_manifest(spoilt))

    with pytest.raises(EngineError, match="other labels"):
        open_engine(spoilt, "onnxruntime/f32")


def test_an_engine_that_is_slightly_off_is_refused(bundle: Path, tmp_path: Path) -> None:
    """The same labels are not enough: probabilities count too."""
    spoilt = copied(bundle, tmp_path)
    golden = read_golden(spoilt)
    write_golden(spoilt, type(golden)(golden.pixels, golden.logits * 1.05))
    seal(spoilt, load_manifest(spoilt))

    with pytest.raises(EngineError, match="off the bundle's golden probabilities"):
        open_engine(spoilt, "onnxruntime/f32")


def test_a_damaged_graph_is_refused_before_it_is_loaded(bundle: Path, tmp_path: Path) -> None:
    """The SHA-256 comes first."""
    spoilt = copied(bundle, tmp_path)
    graph = spoilt / load_manifest(spoilt).graphs["f32"]
    graph.write_bytes(graph.read_bytes() + b"x")

    with pytest.raises(BundleError, match="damaged"):
        open_engine(spoilt)


def test_a_graph_that_is_none_is_one_line(bundle: Path, tmp_path: Path) -> None:
    """Even a rightly sealed file may be no graph."""
    spoilt = copied(bundle, tmp_path)
    manifest = load_manifest(spoilt)
    (spoilt / manifest.graphs["f32"]).write_bytes(b"no graph at all")
    seal(spoilt, manifest)

    for name in ("openvino/f32", "onnxruntime/f32"):
        with pytest.raises(EngineError, match=r"cannot load|not installed") as caught:
            open_engine(spoilt, name)
        assert "\n" not in str(caught.value)
