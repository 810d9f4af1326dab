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

from keras_networks import of_images  # noqa: E402

keras.utils.set_random_seed(0)
x, y, test_x, test_y = mnist(chosen.data)
model, shape = of_images(chosen.network)
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
