"""Weights that Keras wrote, and what its layers compute with them, for the tests beside this script.

    pip install keras==3.15.1 jax==0.10.2 numpy==2.4.6
    python keras_weights.py

It writes the folder `keras`; then it puts the weights that chainrule wrote, in the folder `keras-from-chainrule`, into Keras' layers,
and writes what these compute to `keras-from-chainrule/outputs.json`.
"""

import json
import os
import pathlib
import re

os.environ["KERAS_BACKEND"] = "jax"

import keras
import numpy

HERE = pathlib.Path(__file__).parent
FOLDER, WRITTEN = HERE / "keras", HERE / "keras-from-chainrule"
ROWS = 3
layers = keras.layers


def fill(seed, count):
    """Numbers in [-1, 1) that look random."""
    mask = 0xFFFFFFFF
    k = (numpy.arange(count, dtype=numpy.uint64) * 2654435761 + seed * 40503 + 12345) & mask
    for factor in (0x85EBCA6B, 0xC2B2AE35):
        k = ((k ^ (k >> 15)) * factor) & mask
    return (k ^ (k >> 16)).astype(numpy.float64) / 2.0**31 - 1.0


# The script of docs/interop.md, which the tests compare.
def named(model):
    """The variables of a sequential model: the number of a layer, and the name within it."""
    found = {}
    for index, layer in enumerate(model.layers):
        for variable in layer.weights:
            parts = variable.path.split(layer.name + "/", 1)[1].split("/")
            parts = [re.sub("^(forward|backward)_.*", r"\1", part) for part in parts if not part.endswith("_cell")]
            found[".".join([str(index), *parts])] = variable
    return found


def save(model, path):
    numpy.savez(path, **{name: numpy.asarray(variable.value) for name, variable in named(model).items()})


def load(model, path):
    arrays = numpy.load(path)
    for name, variable in named(model).items():
        variable.assign(arrays[name])
# The end of the script.


class SelfAttention(layers.MultiHeadAttention):
    def build(self, shape):
        super().build(shape, shape)

    def call(self, x):
        return super().call(x, x)

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, x.dtype)


first = dict(data_format="channels_first")


def nets():
    """The name, chainrule's description, the shape of a sample, and Keras' layers."""
    return [
        ("mlp", "dense(6) then relu then batch_norm(epsilon=0.001) then dense(3) then softmax", [4],
         [layers.Dense(6), layers.ReLU(), layers.BatchNormalization(), layers.Dense(3), layers.Softmax()]),
        ("convolutions",
         "conv2d(4, [3, 2]) then batch_norm(epsilon=0.001) then relu then depthwise_conv2d(2, multiplier=2) then "
         "separable_conv2d(3, 2) then conv_transpose2d(2, 3, stride=2) then conv2d(4, 2, groups=2) then flatten then dense(3)",
         [2, 7, 7],
         [layers.Conv2D(4, (3, 2), **first), layers.BatchNormalization(axis=1), layers.ReLU(),
          layers.DepthwiseConv2D(2, depth_multiplier=2, **first), layers.SeparableConv2D(3, 2, **first),
          layers.Conv2DTranspose(2, 3, 2, **first), layers.Conv2D(4, 2, groups=2, **first), layers.Flatten(), layers.Dense(3)]),
        ("recurrent", "lstm(4, sequences=true) then bidirectional(gru(3, sequences=true)) then gru(2, sequences=true) then rnn(3)", [5, 2],
         [layers.LSTM(4, return_sequences=True), layers.Bidirectional(layers.GRU(3, return_sequences=True)),
          layers.GRU(2, return_sequences=True), layers.SimpleRNN(3)]),
        ("words", "embedding(7, 4) then multi_head_attention(2, head_size=3) then layer_norm(epsilon=0.001) then "
                  "prelu(shared=none) then rms_norm(epsilon=1e-6) then flatten then dense(2)", [5],
         [layers.Embedding(7, 4), SelfAttention(2, 3), layers.LayerNormalization(), layers.PReLU(), layers.RMSNormalization(),
          layers.Flatten(), layers.Dense(2)]),
    ]  # fmt: skip


def model(shape, modules):
    return keras.Sequential([keras.Input(shape), *modules])


def samples(name, shape):
    x = fill(1, ROWS * int(numpy.prod(shape))).reshape(ROWS, *shape)
    x = numpy.floor(numpy.abs(x) * 1000) % 7 if name == "words" else x
    return x.astype(numpy.float32)


def numbers(values):
    return [float(f"{value:.9g}") for value in numpy.asarray(values).reshape(-1).tolist()]


def filled(number, shape, modules):
    """A net with weights by the rule."""
    net = model(shape, modules)
    for index, (own, variable) in enumerate(named(net).items()):
        values = 0.5 * fill(100 * number + index, int(numpy.prod(variable.shape))).reshape(variable.shape)
        variable.assign(1.0 + values if own.endswith("variance") else values)
    return net


def main():
    FOLDER.mkdir(exist_ok=True)
    cases, outputs = [], {}
    for number, (name, description, shape, modules) in enumerate(nets()):
        net, x = filled(number, shape, modules), samples(name, shape)
        save(net, FOLDER / f"{name}.npz")
        if name == "mlp":
            # With an optimizer, as after a training.
            net.compile("adam", "mse")
            net.optimizer.build(net.trainable_variables)
            net.save_weights(FOLDER / "mlp.weights.h5")
        cases.append({"name": name, "description": description, "input": shape, "x": numbers(x), "y": numbers(net(x, training=False))})
        if (WRITTEN / f"{name}.npz").exists():
            load(net, WRITTEN / f"{name}.npz")
            outputs[name] = numbers(net(x, training=False))
    (FOLDER / "cases.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
    if outputs:
        lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(y)}" for name, y in outputs.items())
        (WRITTEN / "outputs.json").write_text("{\n" + lines + "\n}\n")
    print(f"{len(cases)} nets, {len(outputs)} with weights of chainrule")


if __name__ == "__main__":
    main()
