"""The convolutions: see reference.py."""

import torch
import torch.nn.functional as F

from reference import case, write


def conv(name, input, weight, bias=True, pad=None, rows=3, **options):
    """A convolution of PyTorch, after explicit padding where both sides differ."""
    f = [F.conv1d, F.conv2d, F.conv3d][len(input) - 2]
    before = lambda x: F.pad(x, pad) if pad else x
    params = [weight, weight[:1]] if bias else [weight]
    return case(name, input, params, lambda x, *p: f(before(x), *p, **options), rows=rows)


write([
    conv("conv1d", [2, 9], (3, 2, 4)),
    conv("conv1d causal", [2, 7], (2, 2, 3), bias=False, pad=(4, 0), dilation=2),
    conv("conv1d same stride", [4, 11], (4, 2, 5), pad=(1, 2), stride=3, groups=2),
    conv("conv2d", [2, 5, 6], (3, 2, 3, 3)),
    conv("conv2d 1x1", [3, 2, 4], (5, 3, 1, 1)),
    conv("conv2d keras", [1, 4, 3], (2, 1, 2, 3), pad=(1, 1, 0, 1)),
    conv("conv2d stride", [3, 7, 8], (4, 3, 3, 2), stride=(2, 3), padding=(1, 0), rows=2),
    conv("conv2d dilated", [2, 8, 7], (4, 1, 3, 3), dilation=(2, 3), stride=(3, 1), padding=(2, 4), groups=2, rows=2),
    conv("conv2d uneven", [2, 3, 3], (2, 2, 2, 2), bias=False, pad=(2, 1, 0, 3)),
    conv("conv2d whole", [2, 4, 4], (3, 2, 4, 4)),
    conv("conv2d wide", [1, 13, 12], (6, 1, 5, 5), padding=2, rows=1),
    conv("conv3d", [2, 3, 2, 4], (2, 2, 2, 1, 3)),
    conv("conv3d options", [2, 4, 5, 4], (4, 1, 2, 2, 2), stride=(1, 2, 2), padding=(0, 1, 2), dilation=(2, 1, 3), groups=2, rows=1),
    conv("conv3d same", [1, 4, 5, 6], (2, 1, 3, 2, 3), pad=(1, 1, 0, 1, 1, 1), rows=1),
])  # fmt: skip
