"""The normalisation layers: see reference.py. Run with `steps`, it prints the running statistics that
layers/tests/layers/normalization.rs compares over several steps, and a step of PyTorch's own `spectral_norm`."""

import sys

import torch
from torch.nn import functional

from reference import Buffer, case, fill, write


def batch_norm(momentum=0.1, eps=1e-5, last=False, train=True):
    def f(x, w, b, mean, variance):
        mean, variance = mean.clone(), variance.clone()
        y = x.movedim(-1, 1) if last else x
        y = functional.batch_norm(y, mean, variance, w, b, train, momentum, eps)
        return y.movedim(1, -1) if last else y, [mean, variance]
    return f  # fmt: skip


def batch(name, input, channels, train=True, rows=3, **settings):
    params = [(channels,), (channels,), Buffer((channels,)), Buffer((channels,))]
    return case(name, input, params, batch_norm(train=train, **settings), rows=rows, train=train)


def keras_batch_norm(x, w, b, mean, variance):
    """Keras 3: BatchNormalization with axis=1."""
    axes = tuple(axis for axis in range(x.ndim) if axis != 1)
    own, spread = x.mean(axes), x.var(axes, unbiased=False)
    y = functional.batch_norm(x, None, None, w, b, True, 0.0, 1e-3)
    return y, [0.99 * mean + 0.01 * own, 0.99 * variance + 0.01 * spread]


def layer_norm(axes, eps=1e-5):
    return lambda x, w=None, b=None: functional.layer_norm(x, x.shape[-axes:], w, b, eps)


def rms_norm(axes, eps=None):
    return lambda x, w=None: functional.rms_norm(x, x.shape[-axes:], w, eps)


def group_norm(groups, eps=1e-5):
    return lambda x, w=None, b=None: functional.group_norm(x, groups, w, b, eps)


def instance_norm(eps=1e-5):
    return lambda x, w=None, b=None: functional.instance_norm(x, weight=w, bias=b, eps=eps)


def local(size, alpha=1e-4, beta=0.75, k=1.0):
    return lambda x: functional.local_response_norm(x, size, alpha, beta, k)


def weight_norm(axis):
    shape = [(1, -1), (-1, 1)]
    weight = lambda v, g: torch._weight_norm(v, g.reshape(shape[1 - axis]), axis)
    return lambda x, v, *rest: x @ weight(v, rest[-1]) + (rest[0] if len(rest) == 2 else 0)


def spectral_norm(x, w, b, u, axis=1):
    """Dense, whose weight is [inputs, units], after 200 iterations."""
    matrix = w.t() if axis == 1 else w
    with torch.no_grad():
        u = functional.normalize(u, dim=0)
        for _ in range(200):
            v = functional.normalize(matrix.t() @ u, dim=0)
            u = functional.normalize(matrix @ v, dim=0)
    return x @ w / torch.dot(u, matrix @ v) + b, [u]


def steps():
    layer = torch.nn.BatchNorm1d(2)
    x = torch.tensor(fill(1, 4 * 5 * 2).reshape(4, 5, 2))
    for step in range(4):
        layer(x[step] * (step + 1) + step)
        print([round(v, 12) for v in layer.running_mean.tolist() + layer.running_var.tolist()])

    dense = torch.nn.Linear(3, 2, bias=False)
    w = 0.5 * fill(2, 6).reshape(3, 2)
    dense.weight.data = torch.tensor(w).t().contiguous()
    dense = torch.nn.utils.spectral_norm(dense)
    dense.weight_u.copy_(torch.tensor([0.6, 0.8]))
    x = torch.tensor(fill(1, 6).reshape(2, 3), requires_grad=True)
    y = dense(x)
    y.backward(torch.tensor(fill(3, 4).reshape(2, 2)))
    for values in [y, x.grad, dense.weight_orig.grad.t(), dense.weight_u]:
        print([round(v, 12) for v in values.reshape(-1).tolist()])


if sys.argv[1:] == ["steps"]:
    steps()
    sys.exit()

write([
    batch("batch norm", [5], 5),
    batch("batch norm", [5], 5, train=False),
    batch("batch norm of one feature", [1], 1, rows=8),
    batch("batch norm of images", [3, 2, 3], 3),
    batch("batch norm of images", [3, 2, 3], 3, train=False, rows=1),
    batch("batch norm of signals", [2, 33], 2, momentum=0.3, eps=0.1, rows=2),
    batch("batch norm of one pixel", [4, 1, 1], 4),
    batch("batch norm of steps", [4, 3], 3, last=True),
    case("batch norm without affine", [3, 4], [Buffer((3,)), Buffer((3,))],
         lambda x, mean, variance: batch_norm(momentum=0.0)(x, None, None, mean, variance), train=True),
    case("batch norm keras", [2, 5], [(2,), (2,), Buffer((2,)), Buffer((2,))], keras_batch_norm, train=True),
    case("layer norm", [7], [(7,), (7,)], layer_norm(1)),
    case("layer norm of steps", [3, 19], [(19,), (19,)], layer_norm(1), rows=1),
    case("layer norm of long rows", [83], [(83,), (83,)], layer_norm(1, 1e-3), rows=1),
    case("layer norm of two axes", [2, 3, 2], [(3, 2), (3, 2)], layer_norm(2)),
    case("layer norm of all axes", [2, 2, 5], [(2, 2, 5), (2, 2, 5)], layer_norm(3, 0.5), rows=1),
    case("layer norm without bias", [2, 6], [(6,)], layer_norm(1)),
    case("layer norm without affine", [2, 6], [], layer_norm(1)),
    case("rms norm", [9], [(9,)], rms_norm(1)),
    case("rms norm of steps", [2, 35], [(35,)], rms_norm(1, 1e-6), rows=1),
    case("rms norm of all axes", [2, 3], [(2, 3)], rms_norm(2, 0.1)),
    case("rms norm of two axes without affine", [2, 2, 3], [], rms_norm(2)),
    case("unit norm", [6], [], lambda x: functional.normalize(x, dim=-1)),
    case("unit norm of steps", [3, 4], [], lambda x: functional.normalize(x, dim=-1)),
    case("unit norm of two axes", [2, 3, 4], [], lambda x: functional.normalize(x.flatten(2), dim=-1), rows=1),
    case("group norm", [4, 2, 3], [(4,), (4,)], group_norm(2)),
    case("group norm of vectors", [10], [(10,), (10,)], group_norm(2)),
    case("group norm in one group", [3, 7], [(3,), (3,)], group_norm(1, 1e-3)),
    case("group norm of volumes", [8, 2, 1, 2], [(8,), (8,)], group_norm(4, 0.1), rows=1),
    case("group norm without affine", [6, 3], [], group_norm(2)),
    case("instance norm", [3, 2, 4], [], instance_norm()),
    case("instance norm affine", [3, 5], [(3,), (3,)], instance_norm()),
    case("local response norm", [7, 2, 2], [], local(5, 0.3), rows=1),
    case("local response norm of two", [4, 3], [], local(2, 1.0, 0.5, 2.0)),
    case("local response norm of too few", [3, 1, 5], [], local(9, 2.0)),
    case("weight norm", [4], [(4, 3), (3,), (3,)], weight_norm(1)),
    case("weight norm by inputs", [5], [(5, 4), (4,), (5,)], weight_norm(0)),
    case("spectral norm", [4], [(4, 3), (3,), Buffer((3,))], spectral_norm, train=True),
    batch("batch norm of many features", [37], 37, momentum=1.0, rows=5),
    batch("batch norm of steps", [4, 3], 3, train=False, last=True),
    batch("batch norm of one pixel", [4, 1, 1], 4, train=False),
    case("rms norm of one feature", [2, 1], [(1,)], rms_norm(1, 1.0)),
    case("unit norm of all axes", [5, 7], [], lambda x: functional.normalize(x.flatten(1), dim=-1), rows=1),
    case("group norm of long channels", [2, 41], [(2,), (2,)], group_norm(2), rows=1),
    case("local response norm of vectors", [6], [], lambda x: local(3, 0.5)(x[..., None])),
    case("local response norm of one", [2, 3], [], local(1, 0.7)),
    case("weight norm of one", [1], [(1, 1), (1,), (1,)], weight_norm(1)),
    case("weight norm without bias", [3], [(3, 18), (18,)], weight_norm(1), rows=1),
    case("spectral norm by inputs", [4], [(4, 3), Buffer((4,))],
         lambda x, w, u: spectral_norm(x, w, 0, u, axis=0), train=True),
])  # fmt: skip
