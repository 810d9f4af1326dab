"""The dense layers: see reference.py."""

import torch

from reference import case, write

write([
    case("dense", [4], [(4, 5), (5,)], lambda x, w, b: torch.nn.functional.linear(x, w.t(), b)),
    case("dense without bias", [33], [(33, 17)], lambda x, w: torch.nn.functional.linear(x, w.t()), rows=2),
])  # fmt: skip
