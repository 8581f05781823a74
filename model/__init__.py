"""Pixels in, probabilities out: preprocessing, network, training, calibration, bundles, engines.

Importing this package loads nothing heavy. `model.preprocessing` and `model.manifest` need NumPy and
OpenCV only; TensorFlow is loaded by the modules that train and by the engine of that name.
"""
