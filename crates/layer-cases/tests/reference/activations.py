"""The activations: see reference.py. Those that PyTorch lacks come from Keras with the torch backend."""

import os

os.environ["KERAS_BACKEND"] = "torch"

import keras
import torch
import torch.nn.functional as F

from reference import case, write


def of(name, input, f, rows=2):
    """An activation without parameters, at inputs from -4 to 4."""
    return case(name, input, [], f, rows=rows, value=lambda i, v: 4.0 * v)


def keras_of(name, input, f):
    return of(name, input, lambda x: keras.ops.convert_to_tensor(f(x)))


def near(name, input, f, params=(), rows=2):
    """An activation at inputs from -1 to 1."""
    return case(name, input, list(params), f, rows=rows)


def gated(f):
    """The values, and then the gate."""

    def g(x):
        a, b = x.chunk(2, dim=-1)
        return a * f(b)

    return g


def prelu(x, slope):
    return F.prelu(x, slope)


def sparsemax(x):
    """Algorithm 1 of Martins and Astudillo (2016). Keras 3.15 adds all the cumulative sums instead of using the last,
    and its outputs do not sum to 1."""
    z, _ = torch.sort(x, dim=-1, descending=True)
    sums, k = torch.cumsum(z, dim=-1), torch.arange(1, x.shape[-1] + 1, dtype=x.dtype)
    count = (1 + k * z > sums).sum(dim=-1, keepdim=True)
    tau = (sums.gather(-1, count - 1) - 1) / count
    return torch.clamp(x - tau, min=0)


write([
    of("celu", [9], F.celu), of("celu 0.7", [2, 5], lambda x: F.celu(x, 0.7)),
    of("elu", [9], F.elu), of("elu 1.5", [3, 3], lambda x: F.elu(x, 1.5)),
    near("exponential", [7], keras.activations.exponential),
    of("gelu", [33], F.gelu, rows=1), of("gelu tanh", [3, 7], lambda x: F.gelu(x, approximate="tanh"), rows=1),
    near("glu", [6], F.glu), near("glu of steps", [3, 4], F.glu),
    near("glu of channels", [4, 2, 3], lambda x: F.glu(x, 1)),
    near("glu in the middle", [2, 6, 3], lambda x: F.glu(x, 2)),
    of("swiglu", [2, 34], gated(F.silu), rows=1), of("geglu", [2, 6], gated(F.gelu)),
    of("geglu tanh", [10], gated(lambda x: F.gelu(x, approximate="tanh"))), near("reglu", [2], gated(F.relu)),
    near("bilinear glu", [4], gated(lambda x: x)),
    of("hard shrink", [9], F.hardshrink), of("hard shrink 1.3", [9], lambda x: F.hardshrink(x, 1.3)),
    of("hard sigmoid", [17], F.hardsigmoid, rows=1), of("hard swish", [17], F.hardswish, rows=1),
    of("hard tanh", [9], F.hardtanh), of("hard tanh -0.5 2", [9], lambda x: F.hardtanh(x, -0.5, 2.0)),
    near("leaky relu", [5], F.leaky_relu),
    near("leaky relu 0.3", [18], keras.layers.LeakyReLU(dtype="float64"), rows=1),
    of("log sigmoid", [9], F.logsigmoid),
    near("log softmax", [6], lambda x: F.log_softmax(x, -1)),
    of("log softmax of steps", [2, 70], lambda x: F.log_softmax(x, -1), rows=1),
    near("maxout", [6], lambda x: x.reshape(-1, 2, 3).amax(-1)),
    near("maxout of channels", [4, 3, 2], lambda x: x.reshape(-1, 2, 2, 6).amax(2)),
    of("mish", [2, 9], F.mish, rows=1),
    near("prelu", [7], prelu, [(1,)]), near("prelu of channels", [3, 2, 2], prelu, [(3,)]),
    near("prelu of features", [2, 3], lambda x, a: F.prelu(x.transpose(1, 2), a).transpose(1, 2), [(3,)]),
    near("prelu of values", [2, 3], lambda x, a: torch.where(x > 0, x, a * x), [(2, 3)]),
    near("relu", [2, 3, 4], F.relu, rows=1), of("relu6", [19], F.relu6, rows=1),
    near("relu squared", [2, 9], lambda x: F.relu(x) ** 2, rows=1),
    near("rrelu", [35], lambda x: F.rrelu(x, training=False), rows=1),
    of("selu", [9], F.selu), near("sigmoid", [3, 7], F.sigmoid, rows=1), of("silu", [2, 17], F.silu, rows=1),
    of("soft shrink", [9], F.softshrink), of("soft shrink 0.9", [9], lambda x: F.softshrink(x, 0.9)),
    near("softmax", [6], lambda x: F.softmax(x, -1)),
    of("softmax of steps", [3, 17], lambda x: F.softmax(x, -1), rows=1),
    near("softmin", [2, 5], lambda x: F.softmin(x, -1)),
    near("softmax2d", [3, 2, 5], torch.nn.Softmax2d()),
    of("softplus", [9], F.softplus), of("softplus 1.5 2", [9], lambda x: F.softplus(x, 1.5, 2.0)),
    of("softsign", [9], F.softsign),
    keras_of("sparse plus", [9], keras.activations.sparse_plus),
    keras_of("sparse sigmoid", [9], keras.activations.sparse_sigmoid),
    near("sparsemax", [6], sparsemax),
    of("sparsemax of steps", [3, 9], sparsemax),
    case("sparsemax of even values", [20], [], sparsemax, rows=2, value=lambda i, v: 0.05 * v),
    keras_of("squareplus", [9], keras.activations.squareplus),
    keras_of("squareplus 0.3", [9], lambda x: keras.activations.squareplus(x, 0.3)),
    of("tanh", [19], torch.tanh, rows=1), of("tanh shrink", [9], F.tanhshrink),
    near("threshold", [9], lambda x: F.threshold(x, 0.1, -2.0)),
    of("thresholded relu", [9], lambda x: F.threshold(x, 1.0, 0.0)),
    near("identity", [3], torch.tanh), near("maxout of steps", [3, 4], lambda x: x.reshape(-1, 3, 2, 2).amax(-1)),
    near("rrelu -1 1", [2, 3], lambda x: F.rrelu(x, -1.0, 1.0)),
    of("swish", [3], keras.activations.swish),
])  # fmt: skip
