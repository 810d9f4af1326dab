"""Graphs of Keras' exporter, and what its layers compute, for the tests beside this script.

    pip install keras==3.15.1 tensorflow-cpu==2.21.0 tf2onnx==1.17.0 onnx==1.23.2 numpy==2.4.6
    python keras_graphs.py

It writes the folder `keras-graphs`. The exporter is `model.export(format="onnx")`, which for the backends of TensorFlow and JAX is
tf2onnx. (With that of PyTorch a recurrent layer is written step by step.)
"""

import json
import os
import pathlib

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy
import onnx

FOLDER = pathlib.Path(__file__).parent / "keras-graphs"
ROWS = 3
layers = keras.layers


def fill(seed, count):
    """Numbers in [-1, 1) that look random."""
    mask = 0xFFFFFFFF
    k = (numpy.arange(count, dtype=numpy.uint64) * 2654435761 + seed * 40503 + 12345) & mask
    for factor in (0x85EBCA6B, 0xC2B2AE35):
        k = ((k ^ (k >> 15)) * factor) & mask
    return (k ^ (k >> 16)).astype(numpy.float64) / 2.0**31 - 1.0


def encoder(x):
    h = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x))
    f = layers.Dense(8)(layers.Dense(12, activation="relu")(h))
    return layers.Dense(3)(layers.GlobalAveragePooling1D()(layers.LayerNormalization()(h + f)))


def chain(*modules):
    def apply(x):
        for module in modules:
            x = module(x)
        return x

    return apply


def nets():
    """The name, parts of chainrule's description, the shape of a sample, and the model."""
    yield "mlp", "units=6 relu softmax", [4], chain(layers.Dense(6, activation="relu"), layers.Dense(3, activation="softmax"))
    yield "lenet", "permute conv2d max_pool2d flatten", [12, 12, 1], chain(
        layers.Conv2D(4, 3, padding="same", activation="relu"), layers.BatchNormalization(), layers.MaxPooling2D(),
        layers.Conv2D(6, 3), layers.BatchNormalization(), layers.ReLU(), layers.Flatten(), layers.Dense(5))  # fmt: skip
    yield "lstm", "bidirectional lstm(units=3", [5, 2], chain(
        layers.Bidirectional(layers.LSTM(4, return_sequences=True)), layers.LSTM(3), layers.Dense(2))  # fmt: skip
    yield "encoder", "multi_head_attention layer_norm global_avg_pool", [5, 8], encoder
    yield "gru", None, [5, 2], chain(layers.GRU(3), layers.Dense(2))


def numbers(values):
    return [float(f"{value:.9g}") for value in numpy.asarray(values).reshape(-1).tolist()]


FOLDER.mkdir(exist_ok=True)
cases = []
for number, (name, description, shape, build) in enumerate(nets()):
    keras.backend.clear_session()
    x = keras.Input(shape)
    model = keras.Model(x, build(x))
    for index, variable in enumerate(model.variables):
        if "seed" not in variable.path:
            values = 0.5 * fill(100 * number + index, int(numpy.prod(variable.shape))).reshape(variable.shape)
            variable.assign(1.0 + values if variable.path.endswith("variance") else values)
    samples = fill(1, ROWS * int(numpy.prod(shape))).reshape(ROWS, *shape).astype(numpy.float32)
    y = model(samples, training=False)
    path = FOLDER / f"{name}.onnx"
    model.export(path, format="onnx", verbose=False)
    graph = onnx.load(path)
    del graph.graph.value_info[:], graph.metadata_props[:]
    onnx.save(graph, path)
    if description:
        cases.append({"name": name, "description": description, "input": shape, "x": numbers(samples), "y": numbers(y)})
(FOLDER / "cases.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
print(f"{len(cases)} nets")
