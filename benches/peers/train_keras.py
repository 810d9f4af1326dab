"""Keras on TensorFlow: the tutorial's program, `fit`."""

import os
import time

from workloads import LEARNING_RATE, arguments, mnist, report

chosen = arguments("fit")
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import tensorflow  # noqa: E402

tensorflow.config.threading.set_intra_op_parallelism_threads(chosen.threads)
tensorflow.config.threading.set_inter_op_parallelism_threads(chosen.threads)

import keras  # noqa: E402
from keras.layers import Conv2D, Dense, Flatten, MaxPooling2D  # noqa: E402

keras.utils.set_random_seed(0)
x, y, test_x, test_y = mnist(chosen.data)
if chosen.hidden is None:
    shape = (28, 28, 1)
    layers = [
        Conv2D(6, 5, padding="same", activation="relu"), MaxPooling2D(),
        Conv2D(16, 5, activation="relu"), MaxPooling2D(),
        Flatten(), Dense(120, activation="relu"), Dense(84, activation="relu"),
    ]
else:
    shape = (28, 28)
    layers = [Flatten(), Dense(chosen.hidden, activation="relu"), Dense(chosen.hidden, activation="relu")]
model = keras.Sequential([keras.Input(shape), *layers, Dense(10, activation="softmax")])
model.compile(
    optimizer=keras.optimizers.Adam(LEARNING_RATE), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
)


class Clock(keras.callbacks.Callback):
    """Takes the time of each epoch."""

    seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self.begin = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self.begin)


model.fit(
    x.reshape(-1, *shape), y, batch_size=chosen.batch, epochs=chosen.epochs, verbose=0, callbacks=[Clock()]
)
_, accuracy = model.evaluate(test_x.reshape(-1, *shape), test_y, verbose=0)
version = f"{keras.__version__} on TensorFlow {tensorflow.__version__}"
report("Keras, fit", version, chosen, Clock.seconds, accuracy)
