"""Trains a network of chainrule in Keras, from the same weights and on the same batches: `chainrule compare --with keras`.

    python train_in_keras.py FOLDER

In the folder are `weights.npz`, with the names of `named` below, and what `common.py` names. It writes the weights after the training to
`trained.npz`. `keras_backend.py` says on which backend.
"""

import math
import os
import re

from common import CLASSES, FOLDER, SETTINGS, counts, finish, graph, joined, network, refuse, samples, sides, targets, unless

threads = SETTINGS["threads"]
os.environ["NPROC"] = os.environ["OMP_NUM_THREADS"] = str(threads)
if threads == 1:
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import keras_backend  # The first import of Keras.
import numpy
from keras import layers, ops

keras = keras_backend.keras

if keras.backend.backend() == "torch":
    import torch

    torch.set_num_threads(threads)


ACTIVATIONS = {
    "relu": lambda layer: ops.relu,
    "relu6": lambda layer: ops.relu6,
    "leaky_relu": lambda layer: lambda x: ops.leaky_relu(x, layer["negative_slope"]),
    "elu": lambda layer: lambda x: ops.elu(x, layer["alpha"]),
    "celu": lambda layer: lambda x: ops.celu(x, layer["alpha"]),
    "selu": lambda layer: ops.selu,
    "exponential": lambda layer: ops.exp,
    "gelu": lambda layer: lambda x: ops.gelu(x, approximate=False),
    "gelu_tanh": lambda layer: lambda x: ops.gelu(x, approximate=True),
    "hard_sigmoid": lambda layer: ops.hard_sigmoid,
    "hard_swish": lambda layer: ops.hard_silu,
    "hard_shrink": lambda layer: lambda x: ops.hard_shrink(x, layer["lambda"]),
    "soft_shrink": lambda layer: lambda x: ops.soft_shrink(x, layer["lambda"]),
    "tanh_shrink": lambda layer: ops.tanh_shrink,
    "sigmoid": lambda layer: ops.sigmoid,
    "tanh": lambda layer: ops.tanh,
    "softsign": lambda layer: ops.softsign,
    "silu": lambda layer: ops.silu,
    "mish": lambda layer: lambda x: x * ops.tanh(ops.softplus(x)),
    "log_sigmoid": lambda layer: ops.log_sigmoid,
    "squareplus": lambda layer: lambda x: ops.squareplus(x, layer["b"]),
    "sparse_plus": lambda layer: ops.sparse_plus,
    "sparse_sigmoid": lambda layer: ops.sparse_sigmoid,
    "softmax": lambda layer: ops.softmax,
    "log_softmax": lambda layer: ops.log_softmax,
}
MERGES = {
    "add": layers.Add, "subtract": layers.Subtract, "multiply": layers.Multiply, "average": layers.Average,
    "maximum": layers.Maximum, "minimum": layers.Minimum,
}  # fmt: skip
FIRST = {"data_format": "channels_first"}
RULES = {}


def rule(*names):
    def registered(function):
        RULES.update({name: function for name in names})
        return function

    return registered


class Network:
    """The layers with weights by their path, as they are built."""

    def __init__(self):
        self.layers = {}
        self.frozen = False

    def run(self, layer, path, x):
        if layer["name"] in ACTIVATIONS:
            return layers.Activation(ACTIVATIONS[layer["name"]](layer))(x)
        if layer["name"] not in RULES:
            refuse(path, layer, "Keras has no layer that is the same")
        return RULES[layer["name"]](self, layer, path, x)

    def own(self, path, kind, *arguments, **settings):
        """A layer with weights: one for all nodes of a graph that share it."""
        if path not in self.layers:
            self.layers[path] = kind(*arguments, trainable=not self.frozen, **settings)
        return self.layers[path]

    def merge(self, merge, path, values):
        if merge["name"] == "concat":
            return layers.Concatenate(axis=merge["axis"] + 1)(values)
        if merge["name"] not in MERGES:
            refuse(path, merge, "Keras has no merge that is the same")
        return MERGES[merge["name"]]()(values)


@rule("sequential")
def sequential(net, layer, path, x):
    for index, inner in enumerate(layer["layers"]):
        x = net.run(inner, joined(path, index), x)
    return x


@rule("residual")
def residual(net, layer, path, x):
    return layers.Add()([x, net.run(layer["layer"], joined(path, "residual"), x)])


@rule("branches")
def branches(net, layer, path, x):
    values = [net.run(branch, joined(path, index), x) for index, branch in enumerate(layer["branches"])]
    return net.merge(layer["merge"], path, values)


@rule("graph")
def nodes(net, layer, path, x):
    return graph(layer, path, x, net.run, net.merge)


@rule("frozen")
def frozen(net, layer, path, x):
    before, net.frozen = net.frozen, True
    y = net.run(layer["layer"], path, x)
    net.frozen = before
    return y


@rule("time_distributed")
def time_distributed(net, layer, path, x):
    """Of layers that act on the last axis, as Keras' do by themselves."""
    inner = layer["layer"]
    parts = inner["layers"] if inner["name"] == "sequential" else [inner]
    for part in parts:
        if part["name"] not in ACTIVATIONS and part["name"] != "dense":
            refuse(path, layer, f"{part['name']} does not act on the last axis alone")
    return net.run(inner, path, x)


@rule("dense")
def dense(net, layer, path, x):
    return net.own(path, layers.Dense, layer["units"], use_bias=layer["bias"])(x)


def padded(layer, x, axes, value="padding"):
    """The padding of Keras, and what is to be padded, by zeros where their number is given."""
    if layer[value] in ("valid", "same"):
        return layer[value], x
    zeros = sides(layer[value], axes)
    if axes == 1:
        return "valid", layers.ZeroPadding1D(zeros[0], **FIRST)(x)
    kind = layers.ZeroPadding2D if axes == 2 else layers.ZeroPadding3D
    return "valid", kind(tuple(zeros), **FIRST)(x)


@rule("conv1d", "conv2d", "conv3d", "depthwise_conv1d", "depthwise_conv2d", "separable_conv1d", "separable_conv2d")
def conv(net, layer, path, x):
    axes = len(x.shape) - 2
    padding, x = padded(layer, x, axes)
    depthwise, separable = layer["name"].startswith("depthwise"), layer["name"].startswith("separable")
    kernel, strides, dilation = (counts(layer[name], axes) for name in ("kernel", "stride", "dilation"))
    settings = dict(strides=strides, padding=padding, dilation_rate=dilation, use_bias=layer["bias"], **FIRST)
    if depthwise or separable:
        if len({*strides}) > 1 or len({*dilation}) > 1:
            refuse(path, layer, "Keras has one stride and one dilation for all axes")
        settings |= dict(strides=strides[0], dilation_rate=dilation[0], depth_multiplier=layer["multiplier"])
    else:
        settings["groups"] = layer["groups"]
    words = "Depthwise" if depthwise else "Separable" if separable else ""
    first = [] if depthwise else [layer["channels"]]
    return net.own(path, getattr(layers, f"{words}Conv{axes}D"), *first, kernel, **settings)(x)


@rule("max_pool1d", "max_pool2d", "max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d")
def pool(net, layer, path, x):
    unless(path, layer, ceil=False)
    axes = len(x.shape) - 2
    if any(side != (0, 0) for side in sides(layer["padding"], axes)) or set(counts(layer["dilation"], axes)) != {1}:
        refuse(path, layer, "Keras pools without padding and dilation")
    kind = getattr(layers, f"{'Max' if layer['name'].startswith('max') else 'Average'}Pooling{axes}D")
    kernel = counts(layer["kernel"], axes)
    return kind(kernel, kernel if layer["stride"] is None else counts(layer["stride"], axes), **FIRST)(x)


@rule("global_max_pool", "global_avg_pool")
def global_pool(net, layer, path, x):
    reduce = ops.max if layer["name"] == "global_max_pool" else ops.mean
    return reduce(x, axis=tuple(range(2, len(x.shape))))


class BatchNorm(layers.BatchNormalization):
    """One that knows how many values it takes a variance of."""

    samples = None
    unbiased = False


@rule("batch_norm")
def batch_norm(net, layer, path, x):
    axis = -1 if layer["channels_last"] else 1
    if path in net.layers:
        refuse(path, layer, "it is shared by several nodes")
    affine = layer["affine"]
    own = net.own(path, BatchNorm, axis=axis, momentum=1 - layer["momentum"], epsilon=layer["epsilon"], center=affine, scale=affine)
    own.samples = SETTINGS["batch_size"] * math.prod(x.shape[1:]) // x.shape[axis]
    own.unbiased = layer["unbiased"] and not net.frozen
    return own(x)


@rule("layer_norm")
def layer_norm(net, layer, path, x):
    axes, affine = list(range(-layer["axes"], 0)), layer["affine"]
    settings = dict(axis=axes, epsilon=layer["epsilon"], center=affine and layer["bias"], scale=affine)
    return net.own(path, layers.LayerNormalization, **settings)(x)


@rule("rms_norm")
def rms_norm(net, layer, path, x):
    unless(path, layer, affine=True, axes=1)
    epsilon = numpy.finfo("f4").eps if layer["epsilon"] is None else layer["epsilon"]
    return net.own(path, layers.RMSNormalization, epsilon=float(epsilon))(x)


@rule("group_norm", "instance_norm")
def group_norm(net, layer, path, x):
    affine = dict(center=layer["affine"], scale=layer["affine"])
    groups = layer.get("groups") or x.shape[1]
    return net.own(path, layers.GroupNormalization, groups, axis=1, epsilon=layer["epsilon"], **affine)(x)


@rule("prelu")
def prelu(net, layer, path, x):
    unless(path, layer, shared="none")
    return net.own(path, layers.PReLU)(x)


@rule("embedding")
def embedding(net, layer, path, x):
    unless(path, layer, padding_index=None)
    return net.own(path, layers.Embedding, layer["vocabulary"], layer["size"])(x)


def recurrent_layer(net, layer, path, **more):
    unless(path, layer, masked=False, stateful=False)
    settings = dict(return_sequences=layer["sequences"], go_backwards=layer["backwards"], use_bias=layer["bias"], **more)
    if layer["name"] == "rnn":
        function = layer["activation"]
        return layers.SimpleRNN(layer["units"], activation=ACTIVATIONS[function["name"]](function), **settings)
    return {"lstm": layers.LSTM, "gru": layers.GRU}[layer["name"]](layer["units"], **settings)


@rule("rnn", "lstm", "gru")
def recurrent(net, layer, path, x):
    return net.own(path, lambda **settings: recurrent_layer(net, layer, path, **settings))(x)


@rule("bidirectional")
def bidirectional(net, layer, path, x):
    merge, inner = layer["merge"]["name"], layer["layer"]
    modes = {"concat": "concat", "sum": "sum", "multiply": "mul", "average": "ave"}
    if merge not in modes or inner["name"] not in ("rnn", "lstm", "gru"):
        refuse(path, layer, "Keras has no layer that is the same")
    return net.own(path, layers.Bidirectional, recurrent_layer(net, inner, path), merge_mode=modes[merge])(x)


@rule("multi_head_attention")
def attention(net, layer, path, x):
    unless(path, layer, masked=False, dropout=0, rotary=None, alibi=False)
    size = layer["head_size"] or x.shape[-1] // layer["heads"]
    if layer["key_value_heads"] not in (None, layer["heads"]):
        settings = (size, layer["heads"], layer["key_value_heads"])
        own = net.own(path, layers.GroupedQueryAttention, *settings, use_bias=layer["bias"])
    else:
        own = net.own(path, layers.MultiHeadAttention, layer["heads"], size, use_bias=layer["bias"])
    return own(x, x, use_causal_mask=layer["causal"])


@rule("one_step")
def one_step(net, layer, path, x):
    return x[:, 0 if layer["step"] == "first" else -1]


@rule("flatten", "reshape")
def reshape(net, layer, path, x):
    return layers.Reshape(layer.get("axes") or [math.prod(x.shape[1:])])(x)


@rule("permute")
def permute(net, layer, path, x):
    return layers.Permute([axis + 1 for axis in layer["axes"]])(x)


@rule("zero_padding1d", "zero_padding2d", "zero_padding3d")
def zero_padding(net, layer, path, x):
    return padded(layer, x, len(x.shape) - 2, "sides")[1]


@rule("identity")
def identity(net, layer, path, x):
    return x


@rule("dropout", "spatial_dropout", "alpha_dropout", "feature_alpha_dropout", "drop_path", "gaussian_dropout")
def dropout(net, layer, path, x):
    unless(path, layer, p=0)
    return x


def named():
    """The variables by the path of their layer and the name within it."""
    found = {}
    for path, layer in net.layers.items():
        for variable in layer.weights:
            parts = variable.path.split(layer.name + "/", 1)[1].split("/")
            parts = [re.sub("^(forward|backward)_.*", r"\1", part) for part in parts if not part.endswith("_cell")]
            found[joined(path, ".".join(parts))] = variable
    return found


net = Network()
inputs = keras.Input(SETTINGS["input"])
model = keras.Model(inputs, net.run(network(), "", inputs))
arrays, variables = numpy.load(FOLDER / "weights.npz"), named()
if {*arrays} != {*variables}:
    raise ValueError(f"the weights {sorted({*arrays} ^ {*variables})} are in one library only")
for name, variable in variables.items():
    variable.assign(arrays[name])
kind = {
    "sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW,
    "rmsprop": keras.optimizers.RMSprop,
}[SETTINGS["optimizer"]["name"]]  # fmt: skip
loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True) if CLASSES else keras.losses.MeanSquaredError()
model.compile(kind(**SETTINGS["optimizer"]["settings"]), loss_of)
x, y = samples(), targets()


def step(index):
    # Otherwise the loss is the mean of all batches so far.
    model.reset_metrics()
    return float(model.train_on_batch(x[index], y[index]))


losses = [step(index) for index in range(len(x))]
trained = {name: numpy.asarray(keras.ops.convert_to_numpy(variable.value)) for name, variable in variables.items()}
for path, layer in net.layers.items():
    if isinstance(layer, BatchNorm) and layer.unbiased:
        # Keras keeps a mean of the variances Σ (x - μ)² / n, where the layer is described with n - 1: a factor for what the steps added.
        name = joined(path, "moving_variance")
        kept = layer.momentum ** len(x) * arrays[name].astype("f8")
        trained[name] = (kept + (trained[name] - kept) * layer.samples / (layer.samples - 1)).astype("f4")
numpy.savez(FOLDER / "trained.npz", **trained)
finish(f"{keras.__version__} on {keras.backend.backend()}", losses, step)
