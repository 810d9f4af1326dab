"""The layers of several inputs: see reference.py. Each input is a range of the columns."""

import itertools
from functools import partial, reduce

import numpy
import torch
from torch.nn import functional as F

from reference import case, write



def spread(name, f, *shapes):
    """A function of the list of all inputs, which broadcast."""
    ends = list(itertools.accumulate(int(numpy.prod(shape)) for shape in shapes))

    def joined(x):
        parts = torch.tensor_split(x, ends[:-1], dim=1)
        # The batch comes first, so that missing axes are inserted after it.
        rank = max(map(len, shapes))
        return f([x.reshape(len(x), *[1] * (rank - len(shape)), *shape) for x, shape in zip(parts, shapes)])

    return case(name, [ends[-1]], [], joined, rows=2)


add, sub, mul, maximum, minimum = (
    partial(reduce, f) for f in [torch.add, torch.sub, torch.mul, torch.maximum, torch.minimum]
)


def excite(x, w, b, v, c):
    """Squeeze-and-excitation, with a ReLU between the two layers."""
    factors = torch.sigmoid(torch.relu(x.mean((2, 3)) @ w + b) @ v + c)
    return x * factors[:, :, None, None]


def skips(x, w, b, v, c, u, a):
    """The last output is there twice."""
    down = torch.tanh(x @ w + b)
    deep = torch.tanh(down @ v + c)
    end = torch.cat([deep + down + down, x], 1) @ u + a
    return torch.cat([end, deep, end], 1)


write([
    case("multiply", [18], [], lambda x: x[:, :6] * x[:, 6:12] * x[:, 12:]),
    case("maximum", [18], [], lambda x: torch.stack(x.split(6, 1)).amax(0)),
    case("concat axis 1", [12], [],
         lambda x: torch.cat([x[:, :6].reshape(-1, 2, 3), x[:, 6:8].reshape(-1, 2, 1),
                              x[:, 8:].reshape(-1, 2, 2)], 2)),
    case("dot cosine", [10], [], lambda x: F.cosine_similarity(x[:, :5], x[:, 5:])),
    case("bilinear", [9], [(3, 4, 5), (3,)], lambda x, a, b: F.bilinear(x[:, :4], x[:, 4:], a, b)),
    case("add", [18], [], lambda x: sum(x.split(6, 1)), rows=1),
    case("subtract", [12], [], lambda x: x[:, :6] - x[:, 6:], rows=1),
    case("average", [18], [], lambda x: torch.stack(x.split(6, 1)).mean(0), rows=1),
    case("minimum", [12], [], lambda x: torch.stack(x.split(6, 1)).amin(0), rows=1),
    case("concat", [9], [], lambda x: torch.cat([x[:, :6].reshape(-1, 2, 3), x[:, 6:].reshape(-1, 1, 3)], 1), rows=1),
    case("dot", [10], [], lambda x: torch.linalg.vecdot(x[:, :5], x[:, 5:])),
    case("branches", [4], [(4, 3), (3,), (4, 3), (3,)], lambda x, w, b, v, c: torch.tanh(x @ w + b) + x @ v + c),
    case("residual", [4], [(4, 4), (4,)], lambda x, w, b: x + torch.tanh(x @ w + b)),
    case("lambda", [7], [], lambda x: x**3, rows=1),
    case("graph siamese", [8], [(4, 5), (5,), (5, 2), (2,)],
         lambda x, w, b, v, c: (torch.tanh(x[:, :4] @ w + b) - torch.tanh(x[:, 4:] @ w + b)) @ v + c),
    spread("add channels", add, (2, 1, 1), (2, 3, 2), (2,)),
    spread("add of other axes", add, (2, 3), (1, 1, 1), (2, 1, 1)),
    spread("subtract a row", sub, (2, 3), (3,)),
    spread("subtract from a row", sub, (1, 3), (2, 3)),
    spread("multiply channels", mul, (3, 2, 2), (3, 1, 1)),
    spread("multiply outer", mul, (3, 1), (1, 2)),
    spread("multiply six axes", mul, (2, 1, 2, 1, 2, 1), (2, 2, 1, 2, 1, 3), (2, 1, 1)),
    spread("multiply six other axes", mul, (1, 2, 1, 2, 1, 2), (2, 1, 1, 2, 1, 1), (1,)),
    spread("average of shapes", lambda xs: sum(xs) / 3, (2, 1), (3,), (2, 3)),
    spread("maximum of shapes", maximum, (2, 1, 1), (2, 3), (2, 2, 1)),
    spread("minimum of shapes", minimum, (3,), (4, 1), (1,)),
    case("graph squeeze and excitation", [1, 4, 3], [(3, 1, 2, 2), (3,), (3, 2), (2,), (2, 3), (3,)],
         lambda x, k, a, *p: excite(F.conv2d(x, k, a), *p), rows=2),
    case("branches squeeze and excitation", [3, 2, 2], [(3, 2), (2,), (2, 3), (3,)], excite, rows=2),
    spread("add wide", add, (1, 40), (3, 40), (3, 1)),
    spread("multiply channels first", mul, (3, 1), (3, 35)),
    case("bilinear without bias", [3], [(1, 2, 1)], lambda x, a: F.bilinear(x[:, :2], x[:, 2:], a)),
    case("branches concat", [4], [(4, 2), (2,)], lambda x, w, b: torch.cat([torch.relu(x), torch.tanh(x @ w + b)], 1)),
    case("graph skips", [4], [(4, 3), (3,), (3, 3), (3,), (7, 2), (2,)], skips),
    case("graph nested", [4], [(4, 4), (4,), (4, 2), (2,)], lambda x, w, b, v, c: (torch.tanh(x @ w + b) * x) @ v + c),
])  # fmt: skip
