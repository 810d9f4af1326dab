"""The layers of several inputs: see reference.py. An input is a part of the columns."""

import torch
from torch.nn import functional as F

from reference import case, write

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
])  # fmt: skip
