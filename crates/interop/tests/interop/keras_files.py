"""Keras' own files, for the test beside this script.

    python keras_files.py write FOLDER
    python keras_files.py check FOLDER

`write` saves the weights of each net of `keras_weights.py` as `NAME.weights.h5`. `check` loads such files, and saves what they hold as
`NAME.npz`.
"""

import os
import pathlib
import sys

os.environ["KERAS_BACKEND"] = "jax"

import keras
from keras_weights import SelfAttention, filled, first, layers, model, nets, save

# A file has the names of classes: this is the layer of Keras in a sequence.
SelfAttention.__name__ = "MultiHeadAttention"

EXTRA = [
    ("nested", None, [6],
     [layers.Dense(5), keras.Sequential([layers.Dense(5), layers.BatchNormalization()]), layers.Dense(5),
      keras.Sequential([layers.Dense(4)]), layers.Dropout(0.5), layers.Dense(3)]),
    ("signals", None, [3, 12],
     [layers.Conv1D(4, 3, **first), layers.Conv1DTranspose(4, 2, **first), layers.GroupNormalization(2, axis=1),
      layers.SeparableConv1D(3, 2, use_bias=False, **first), layers.Bidirectional(layers.LSTM(2, use_bias=False)),
      layers.BatchNormalization(center=False, scale=False), layers.Dense(2)]),
]  # fmt: skip

work, folder = sys.argv[1], pathlib.Path(sys.argv[2])
for number, (name, _, shape, modules) in enumerate([*nets(), *EXTRA]):
    path = folder / f"{name}.weights.h5"
    if work == "write":
        filled(number, shape, modules).save_weights(path)
    else:
        net = model(shape, modules)
        net.load_weights(path)
        save(net, folder / f"{name}.npz")
