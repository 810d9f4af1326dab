"""Trains a network of chainrule as functions of JAX, from the same weights and on the same batches: `chainrule compare --with jax`.

    python train_in_jax.py FOLDER

In the folder are `weights.npz`, with the names and layouts of chainrule, and what `common.py` names. It writes the weights after the
training to `trained.npz`. Gradients are JAX's, optimizers those of optax.
"""

import math
import os

from common import CLASSES, FOLDER, SETTINGS, counts, finish, graph, joined, network, refuse, samples, sides, targets, unless

os.environ["NPROC"] = str(SETTINGS["threads"])
if SETTINGS["threads"] == 1:
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import jax
import numpy
import optax
from jax import lax, nn
from jax import numpy as jnp

ACTIVATIONS = {
    "relu": lambda x, layer: nn.relu(x),
    "relu6": lambda x, layer: nn.relu6(x),
    "leaky_relu": lambda x, layer: nn.leaky_relu(x, layer["negative_slope"]),
    "relu_squared": lambda x, layer: nn.relu(x) ** 2,
    "elu": lambda x, layer: nn.elu(x, layer["alpha"]),
    "celu": lambda x, layer: nn.celu(x, layer["alpha"]),
    "selu": lambda x, layer: nn.selu(x),
    "exponential": lambda x, layer: jnp.exp(x),
    "gelu": lambda x, layer: nn.gelu(x, approximate=False),
    "gelu_tanh": lambda x, layer: nn.gelu(x, approximate=True),
    "hard_sigmoid": lambda x, layer: nn.hard_sigmoid(x),
    "hard_swish": lambda x, layer: nn.hard_silu(x),
    "hard_tanh": lambda x, layer: jnp.clip(x, layer["low"], layer["high"]),
    "hard_shrink": lambda x, layer: jnp.where(abs(x) > layer["lambda"], x, 0),
    "soft_shrink": lambda x, layer: jnp.sign(x) * nn.relu(abs(x) - layer["lambda"]),
    "tanh_shrink": lambda x, layer: x - jnp.tanh(x),
    "sigmoid": lambda x, layer: nn.sigmoid(x),
    "tanh": lambda x, layer: jnp.tanh(x),
    "softsign": lambda x, layer: nn.soft_sign(x),
    "silu": lambda x, layer: nn.silu(x),
    "mish": lambda x, layer: x * jnp.tanh(nn.softplus(x)),
    "softplus": lambda x, layer: nn.softplus(layer["beta"] * x) / layer["beta"],
    "log_sigmoid": lambda x, layer: nn.log_sigmoid(x),
    "squareplus": lambda x, layer: nn.squareplus(x, layer["b"]),
    "sparse_plus": lambda x, layer: nn.sparse_plus(x),
    "sparse_sigmoid": lambda x, layer: nn.sparse_sigmoid(x),
    "softmax": lambda x, layer: nn.softmax(x),
    "log_softmax": lambda x, layer: nn.log_softmax(x),
    "softmin": lambda x, layer: nn.softmax(-x),
}
MERGES = {
    "add": sum,
    "subtract": lambda values: values[0] - values[1],
    "multiply": math.prod,
    "average": lambda values: sum(values) / len(values),
    "maximum": lambda values: jnp.max(jnp.stack(values), 0),
    "minimum": lambda values: jnp.min(jnp.stack(values), 0),
}
RULES = {}


def rule(*names):
    def registered(function):
        RULES.update({name: function for name in names})
        return function

    return registered


class Network:
    """A pass with these parameters, and the running statistics after it."""

    def __init__(self, params):
        self.params = params
        self.statistics = {}
        self.frozen = False

    def run(self, layer, path, x):
        if layer["name"] in ACTIVATIONS:
            return ACTIVATIONS[layer["name"]](x, layer)
        if layer["name"] not in RULES:
            refuse(path, layer, "it has not been written in JAX")
        return RULES[layer["name"]](self, layer, path, x)

    def __call__(self, path, name):
        """The parameter of this name in the layer of this path."""
        return self.params[joined(path, name)]

    def affine(self, path, y, weight, bias="bias"):
        """The sum with a bias, if there is one, along the axis of the channels."""
        bias = self.params.get(joined(path, bias))
        return y if bias is None else y + bias.reshape(-1, *[1] * (y.ndim - 2))

    def merge(self, merge, path, values):
        if merge["name"] == "concat":
            return jnp.concatenate(values, merge["axis"] + 1)
        if merge["name"] not in MERGES:
            refuse(path, merge, "it has not been written in JAX")
        return MERGES[merge["name"]](values)


@rule("sequential")
def sequential(net, layer, path, x):
    for index, inner in enumerate(layer["layers"]):
        x = net.run(inner, joined(path, index), x)
    return x


@rule("residual")
def residual(net, layer, path, x):
    return x + net.run(layer["layer"], joined(path, "residual"), x)


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
    y = net.run(layer["layer"], joined(path, "frozen"), x)
    net.frozen = before
    return y


@rule("time_distributed")
def time_distributed(net, layer, path, x):
    y = net.run(layer["layer"], joined(path, "step"), x.reshape(-1, *x.shape[2:]))
    return y.reshape(*x.shape[:2], *y.shape[1:])


@rule("dense")
def dense(net, layer, path, x):
    y = x @ net(path, "weight")
    return y + net(path, "bias") if layer["bias"] else y


def zeros(padding, image, kernel, stride, dilation):
    """The numbers of zeros before and after each axis of an image."""
    if padding == "valid":
        return [(0, 0)] * len(image)
    if padding != "same":
        return sides(padding, len(image))
    lengths = zip(image, kernel, stride, dilation)
    total = [max((math.ceil(n / s) - 1) * s + (k - 1) * d + 1 - n, 0) for n, k, s, d in lengths]
    return [(zeros // 2, zeros - zeros // 2) for zeros in total]


def window(layer, axes):
    return [counts(layer[name], axes) for name in ("kernel", "stride", "dilation")]


@rule("conv1d", "conv2d", "conv3d", "depthwise_conv1d", "depthwise_conv2d", "separable_conv1d", "separable_conv2d")
def conv(net, layer, path, x):
    image = x.shape[2:]
    kernel, stride, dilation = window(layer, len(image))
    padding = zeros(layer["padding"], image, kernel, stride, dilation)
    separable = layer["name"].startswith("separable")
    weight = net(path, "depthwise.weight" if separable else "weight")
    groups = layer["groups"] if "groups" in layer else x.shape[1]
    y = lax.conv_general_dilated(x, weight, stride, padding, rhs_dilation=dilation, feature_group_count=groups)
    if not separable:
        return net.affine(path, y, weight)
    weight = net(path, "pointwise.weight")
    return net.affine(path, lax.conv_general_dilated(y, weight, [1] * len(image), "VALID"), weight, "pointwise.bias")


@rule("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def conv_transpose(net, layer, path, x):
    unless(path, layer, padding="valid")
    image, weight = x.shape[2:], net(path, "weight")
    kernel, stride, dilation = window(layer, len(image))
    more = counts(layer["output_padding"], len(image))
    size = [(n - 1) * s + (k - 1) * d + 1 + m for n, k, s, d, m in zip(image, kernel, stride, dilation, more)]
    channels = weight.shape[1] * layer["groups"]
    forward = lambda z: lax.conv_general_dilated(
        z, weight, stride, "VALID", rhs_dilation=dilation, feature_group_count=layer["groups"]
    )
    [y] = jax.linear_transpose(forward, jax.ShapeDtypeStruct((len(x), channels, *size), x.dtype))(x)
    return net.affine(path, y, weight)


@rule("max_pool1d", "max_pool2d", "max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d")
def pool(net, layer, path, x):
    unless(path, layer, ceil=False)
    axes = x.ndim - 2
    kernel = counts(layer["kernel"], axes)
    stride = kernel if layer["stride"] is None else counts(layer["stride"], axes)
    around = [(0, 0), (0, 0), *sides(layer["padding"], axes)]
    dilation = (1, 1, *counts(layer["dilation"], axes))
    reduced = lambda x, start, of: lax.reduce_window(
        x, start, of, (1, 1, *kernel), (1, 1, *stride), around, window_dilation=dilation
    )
    if layer["name"].startswith("max"):
        return reduced(x, -jnp.inf, lax.max)
    count = reduced(jnp.ones_like(x), 0.0, lax.add) if layer["exclude_padding"] else math.prod(kernel)
    return reduced(x, 0.0, lax.add) / count


@rule("global_max_pool", "global_avg_pool")
def global_pool(net, layer, path, x):
    reduce = jnp.max if layer["name"] == "global_max_pool" else jnp.mean
    return reduce(x, tuple(range(2, x.ndim)))


def normalised(x, axes, epsilon):
    centred = x - x.mean(axes, keepdims=True)
    return centred / jnp.sqrt((centred**2).mean(axes, keepdims=True) + epsilon)


@rule("batch_norm")
def batch_norm(net, layer, path, x):
    channels = x.ndim - 1 if layer["channels_last"] else 1
    axes = [axis for axis in range(x.ndim) if axis != channels]
    shape = [-1 if axis == channels else 1 for axis in range(x.ndim)]
    if joined(path, "running_mean") in net.statistics:
        refuse(path, layer, "it is shared by several nodes")
    running = {name: net(path, name) for name in ("running_mean", "running_var")}
    if net.frozen:
        mean, var = running.values()
    else:
        mean = x.mean(axes)
        var = ((x - mean.reshape(shape)) ** 2).mean(axes)
        count = x.size // mean.size
        found = {"running_mean": mean, "running_var": var * count / (count - 1) if layer["unbiased"] else var}
        for name, own in running.items():
            net.statistics[joined(path, name)] = own + layer["momentum"] * (found[name] - own)
    y = (x - mean.reshape(shape)) / jnp.sqrt(var.reshape(shape) + layer["epsilon"])
    return y * net(path, "weight").reshape(shape) + net(path, "bias").reshape(shape) if layer["affine"] else y


@rule("layer_norm")
def layer_norm(net, layer, path, x):
    y = normalised(x, tuple(range(-layer["axes"], 0)), layer["epsilon"])
    y = y * net(path, "weight") if layer["affine"] else y
    return y + net(path, "bias") if layer["affine"] and layer["bias"] else y


@rule("rms_norm")
def rms_norm(net, layer, path, x):
    epsilon = jnp.finfo(x.dtype).eps if layer["epsilon"] is None else layer["epsilon"]
    y = x / jnp.sqrt((x**2).mean(tuple(range(-layer["axes"], 0)), keepdims=True) + epsilon)
    return y * net(path, "weight") if layer["affine"] else y


@rule("group_norm", "instance_norm")
def group_norm(net, layer, path, x):
    groups = layer.get("groups") or x.shape[1]
    y = normalised(x.reshape(len(x), groups, -1), 2, layer["epsilon"]).reshape(x.shape)
    shape = (-1, *[1] * (x.ndim - 2))
    return y * net(path, "weight").reshape(shape) + net(path, "bias").reshape(shape) if layer["affine"] else y


@rule("prelu")
def prelu(net, layer, path, x):
    weight = net(path, "weight")
    if isinstance(layer["shared"], int):
        weight = weight.reshape(-1, *[1] * (x.ndim - 2 - layer["shared"]))
    return jnp.maximum(x, 0) + weight * jnp.minimum(x, 0)


@rule("embedding")
def embedding(net, layer, path, x):
    unless(path, layer, padding_index=None)
    return net(path, "weight")[x.astype(int)]


@rule("learned_positions")
def learned_positions(net, layer, path, x):
    unless(path, layer, masked=False)
    return x + net(path, "weight")


@rule("class_token")
def class_token(net, layer, path, x):
    token = jnp.broadcast_to(net(path, "token"), (len(x), 1, x.shape[-1]))
    return jnp.concatenate([token, x], 1)


def cell(layer, bias):
    """The function of a step: the next states, of which the first is returned."""
    if layer["name"] == "lstm":

        def lstm(states, x, wh):
            i, f, g, o = jnp.split(x + states[0] @ wh, 4, 1)
            c = nn.sigmoid(f) * states[1] + nn.sigmoid(i) * jnp.tanh(g)
            return nn.sigmoid(o) * jnp.tanh(c), c

        return 4, 2, lstm
    if layer["name"] == "gru":

        def gru(states, x, wh):
            h = states[0] @ wh
            h = h if bias is None else h + bias
            (xr, xz, xn), (hr, hz, hn) = jnp.split(x, 3, 1), jnp.split(h, 3, 1)
            z = nn.sigmoid(xz + hz)
            return ((1 - z) * jnp.tanh(xn + nn.sigmoid(xr + hr) * hn) + z * states[0],)

        return 3, 1, gru
    function = layer["activation"]
    return 1, 1, lambda states, x, wh: (ACTIVATIONS[function["name"]](x + states[0] @ wh, function),)


@rule("rnn", "lstm", "gru")
def recurrent(net, layer, path, x):
    unless(path, layer, masked=False, stateful=False)
    gates, states, step = cell(layer, net.params.get(joined(path, "recurrent_bias")))
    wx, wh = net(path, "weight"), net(path, "recurrent_weight")
    inputs = x @ wx + net(path, "bias") if layer["bias"] else x @ wx
    inputs = inputs[:, ::-1] if layer["backwards"] else inputs

    def one(states, x):
        states = step(states, x, wh)
        return states, states[0]

    first = tuple(jnp.zeros((len(x), layer["units"]), x.dtype) for _ in range(states))
    last, outputs = lax.scan(one, first, jnp.swapaxes(inputs, 0, 1))
    return jnp.swapaxes(outputs, 0, 1) if layer["sequences"] else last[0]


@rule("bidirectional")
def bidirectional(net, layer, path, x):
    inner = layer["layer"]
    if inner["name"] not in ("rnn", "lstm", "gru"):
        refuse(path, layer, "it has not been written in JAX")
    forward = recurrent(net, inner, joined(path, "forward"), x)
    backward = recurrent(net, {**inner, "backwards": True}, joined(path, "backward"), x)
    backward = backward[:, ::-1] if inner["sequences"] else backward
    merges = {
        "concat": lambda: jnp.concatenate([forward, backward], -1), "sum": lambda: forward + backward,
        "multiply": lambda: forward * backward, "average": lambda: (forward + backward) / 2,
    }  # fmt: skip
    return merges[layer["merge"]["name"]]()


def attend(layer, path, x, weights, biases):
    """Self-attention, with the weights of queries, of keys and values, and of the output."""
    unless(path, layer, masked=False, dropout=0, rotary=None, alibi=False)
    projected = [x @ weight if bias is None else x @ weight + bias for weight, bias in zip(weights[:2], biases[:2])]
    heads, groups = layer["heads"], layer["key_value_heads"] or layer["heads"]
    size = weights[0].shape[1] // heads
    q = projected[0].reshape(*x.shape[:2], heads, size)
    k, v = (part.reshape(*x.shape[:2], groups, size) for part in jnp.split(projected[1], 2, 2))
    k, v = (jnp.repeat(part, heads // groups, 2) for part in (k, v))
    scores = jnp.einsum("bqhs,bkhs->bhqk", q, k) / math.sqrt(size)
    if layer["causal"]:
        scores = jnp.where(jnp.tri(x.shape[1], dtype=bool), scores, -jnp.inf)
    mixed = jnp.einsum("bhqk,bkhs->bqhs", nn.softmax(scores), v).reshape(*x.shape[:2], -1)
    y = mixed @ weights[2]
    return y if biases[2] is None else y + biases[2]


@rule("multi_head_attention")
def attention(net, layer, path, x):
    names = ["query", "key_value", "out"]
    biases = [net.params.get(joined(path, f"{name}_bias")) for name in names]
    return attend(layer, path, x, [net(path, f"{name}_weight") for name in names], biases)


@rule("transformer_encoder")
def transformer_encoder(net, layer, path, x):
    unless(path, layer, masked=False, dropout=0)
    own = {**layer["attention"], "causal": layer["causal"] or layer["attention"]["causal"]}
    # In the order in which the parts have them.
    rest = iter([name for name in SETTINGS["parameters"] if name.startswith(joined(path, ""))])
    take = lambda count: [net.params[next(rest)] for _ in range(count)]
    function = layer["activation"]

    def norm(x):
        weight, bias = take(2)
        return normalised(x, -1, 1e-5) * weight + bias

    def of_steps(x):
        wq, bq, wkv, bkv, wo, bo = take(6) if own["bias"] else [w for w in take(3) for w in (w, None)]
        return attend(own, path, x, [wq, wkv, wo], [bq, bkv, bo])

    def feedforward(x):
        w1, b1, w2, b2 = take(4)
        return ACTIVATIONS[function["name"]](x @ w1 + b1, function) @ w2 + b2

    if layer["pre_norm"]:
        x = x + of_steps(norm(x))
        return x + feedforward(norm(x))
    x = norm(x + of_steps(x))
    return norm(x + feedforward(x))


@rule("one_step")
def one_step(net, layer, path, x):
    return x[:, 0 if layer["step"] == "first" else -1]


@rule("flatten", "reshape")
def reshape(net, layer, path, x):
    return x.reshape(len(x), *(layer.get("axes") or [-1]))


@rule("permute")
def permute(net, layer, path, x):
    return x.transpose(0, *(axis + 1 for axis in layer["axes"]))


@rule("patches")
def patches(net, layer, path, x):
    size = layer["size"]
    batch, channels, height, width = x.shape
    x = x.reshape(batch, channels, height // size, size, width // size, size)
    return x.transpose(0, 2, 4, 1, 3, 5).reshape(batch, -1, channels * size * size)


@rule("zero_padding1d", "zero_padding2d", "zero_padding3d")
def zero_padding(net, layer, path, x):
    return jnp.pad(x, [(0, 0), (0, 0), *sides(layer["sides"], x.ndim - 2)])


@rule("identity")
def identity(net, layer, path, x):
    return x


@rule("dropout", "spatial_dropout", "alpha_dropout", "feature_alpha_dropout", "drop_path", "gaussian_dropout")
def dropout(net, layer, path, x):
    unless(path, layer, p=0)
    return x


arrays = {name: jnp.asarray(array) for name, array in numpy.load(FOLDER / "weights.npz").items()}
trained = {name: arrays[name] for name in SETTINGS["trained"]}
fixed = {name: array for name, array in arrays.items() if name not in trained}
optimizer = getattr(optax, SETTINGS["optimizer"]["name"])(**SETTINGS["optimizer"]["settings"])


def loss_of(trained, fixed, x, y):
    net = Network(trained | fixed)
    outputs = net.run(network(), "", x)
    if CLASSES:
        losses = optax.softmax_cross_entropy_with_integer_labels(outputs, y)
    else:
        losses = (outputs - y) ** 2
    return losses.mean(), fixed | net.statistics


@jax.jit
def update(trained, fixed, state, x, y):
    (loss, fixed), grads = jax.value_and_grad(loss_of, has_aux=True)(trained, fixed, x, y)
    updates, state = optimizer.update(grads, state, trained)
    return loss, optax.apply_updates(trained, updates), fixed, state


x, y = jnp.asarray(samples()), jnp.asarray(targets())
now = [trained, fixed, optimizer.init(trained)]


def step(index):
    loss, *now[:] = update(*now, x[index], y[index])
    return float(loss)


losses = [step(index) for index in range(len(x))]
numpy.savez(FOLDER / "trained.npz", **{name: numpy.asarray(array) for name, array in {**now[0], **now[1]}.items()})
finish(jax.__version__, losses, step)
