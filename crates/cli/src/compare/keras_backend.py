"""Imports Keras, on the backend of `KERAS_BACKEND`, or on JAX, PyTorch or TensorFlow, whichever is there."""

import importlib.util
import os

if "KERAS_BACKEND" not in os.environ:
    backends = [backend for backend in ("jax", "torch", "tensorflow") if importlib.util.find_spec(backend)]
    os.environ["KERAS_BACKEND"] = backends[0] if backends else "jax"

import keras
import numpy
