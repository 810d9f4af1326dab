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
])  # fmt: skip
