"""Pixels in, probabilities out: preprocessing, network, training, calibration, bundles, engines.

Importing this package loads nothing heavy. `model.preprocessing` and `model.manifest` need NumPy and
OpenCV only; TensorFlow is loaded by the modules that train and by the engine of that name.
"""

import os

# NumPy multiplies only small matrices here. A second BLAS thread makes the guard ten times slower on a busy
# machine (5 against 60 microseconds an image), and costs memory. It must be set before NumPy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# OpenCV reads this once, when it is loaded. The input spec's limit is checked first; this is the net below.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(1 << 27))
