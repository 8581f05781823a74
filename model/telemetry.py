"""Nobody outside hears which engines are used here, how often, and for what."""

import os
import sys


def refuse_telemetry() -> None:
    """Have OpenVINO, NNCF and ONNX Runtime, none of which is imported yet, tell nobody of their use.

    Their packages do so unless somebody opts out, and keep an id in the home folder: OpenVINO and NNCF
    report each import to Google by the package `openvino_telemetry`, and work as well where that is absent;
    ONNX Runtime, from 1.29, reports each session, with the graph's name, to Microsoft.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # to import it fails then
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
