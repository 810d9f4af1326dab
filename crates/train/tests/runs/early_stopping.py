"""Decisions of Keras' EarlyStopping on sequences of values, for early_stopping.rs.

Versions: keras 3.15 (KERAS_BACKEND=jax). Run: python early_stopping.py, which writes early_stopping.json next to it.

The callback is given each value as the end of an epoch of a model whose weights are the number of the epoch. Values are multiples of
1/64 and so are thresholds, so that single precision, in which Keras compares, has them exactly.
"""

import json
import os
import random
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
import keras


class Model:
    """What the callback needs of a model."""

    def __init__(self):
        self.stop_training = False
        self.epoch = None

    def get_weights(self):
        return self.epoch

    def set_weights(self, weights):
        self.epoch = weights


def run(values, mode, patience, min_delta, baseline, start):
    callback = keras.callbacks.EarlyStopping(
        monitor="script", mode=mode, patience=patience, min_delta=min_delta, baseline=baseline,
        start_from_epoch=start, restore_best_weights=True,
    )
    model = Model()
    callback.set_model(model)
    callback.on_train_begin()
    epochs = 0
    for epoch, value in enumerate(values):
        model.epoch = epoch
        callback.on_epoch_end(epoch, {"script": value})
        epochs += 1
        if model.stop_training:
            break
    last = model.epoch
    callback.on_train_end()
    return {
        "values": values, "mode": mode, "patience": patience, "min_delta": min_delta, "baseline": baseline,
        "start_from_epoch": start, "epochs": epochs, "stopped": model.stop_training,
        "best_epoch": model.epoch if callback.best_weights is not None else None,
    } | ({} if callback.best_weights is not None else {"best_epoch": last})


def main():
    draw = random.Random(5)
    cases = []
    for index in range(160):
        length = draw.randint(1, 14)
        level = 64
        values = []
        for _ in range(length):
            level = max(0, level + draw.choice([-4, -2, -1, 0, 0, 1, 3]))
            values.append(level / 64)
        mode = draw.choice(["min", "max"])
        if mode == "max":
            values = [2 - value for value in values]
        baseline = draw.choice([None, None, 60 / 64 if mode == "min" else 68 / 64])
        cases.append(run(values, mode, draw.randint(0, 4), draw.choice([0, 0, 1, 2]) / 64, baseline,
                         draw.choice([0, 0, 0, 3])))
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(cases, separators=(",", ":")) + "\n")
    print(len(cases), "cases,", path.stat().st_size, "bytes")


main()
