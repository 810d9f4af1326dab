"""The convolutions: see reference.py.

Paddings that differ on both sides, as Keras' `same` has them with a stride, are made of `F.pad` before a convolution, and
of leaving values out after a transposed one. (Checked against Keras 3.15 on TensorFlow for both.)
"""

import torch.nn.functional as F

from reference import case, write

CONV = [F.conv1d, F.conv2d, F.conv3d]
TRANSPOSE = [F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d]


def conv(name, input, weight, bias=True, pad=None, rows=1, **options):
    """A convolution, after padding where both sides differ: `pad` as in `F.pad`, from the last axis to the first."""
    f = CONV[len(input) - 2]
    before = lambda x: F.pad(x, pad) if pad else x
    params = [weight, weight[:1]] if bias else [weight]
    return case(name, input, params, lambda x, *p: f(before(x), *p, **options), rows=rows)


def transpose(name, input, weight, bias=True, cut=None, rows=1, **options):
    """A transposed convolution; `cut` values are left out at the end of each axis."""
    f = TRANSPOSE[len(input) - 2]
    outputs = weight[1] * options.get("groups", 1)
    after = lambda y: y[(..., *[slice(n - c) for n, c in zip(y.shape[2:], cut)])] if cut else y
    params = [weight, (outputs,)] if bias else [weight]
    return case(name, input, params, lambda x, *p: after(f(x, *p, **options)), rows=rows)


def separable(name, input, depthwise, pointwise, pad=None, rows=1, **options):
    f = CONV[len(input) - 2]

    def run(x, d, p, b):
        x = F.pad(x, pad) if pad else x
        return f(f(x, d, groups=input[0], **options), p, b)

    return case(name, input, [depthwise, pointwise, pointwise[:1]], run, rows=rows)


dilated = dict(dilation=(2, 3), stride=(3, 1), padding=(2, 4), groups=2)
volumes = dict(stride=(1, 2, 2), padding=(0, 1, 2), dilation=(2, 1, 3), groups=2)
spread = dict(stride=(2, 3), padding=(1, 0), output_padding=(1, 2))
patches = dict(kernel_size=(3, 2), stride=(2, 1), padding=(2, 1), dilation=(1, 3))

def fold_3d(x):
    """`F.fold` has images only."""
    y = x.new_zeros(len(x), 1, 2, 3, 3)
    for place in range(4):
        h, w = 2 * (place // 2), place % 2
        y[..., h, w : w + 2] += x[:, None, :, place].reshape(-1, 1, 2, 2)
    return y


write([
    conv("conv1d", [2, 9], (3, 2, 4), rows=3),
    conv("conv1d causal", [2, 7], (2, 2, 3), bias=False, pad=(4, 0), dilation=2),
    conv("conv1d same stride", [4, 11], (4, 2, 5), pad=(1, 2), stride=3, groups=2),
    conv("conv2d", [2, 5, 6], (3, 2, 3, 3)),
    conv("conv2d 1x1", [3, 4, 4], (5, 3, 1, 1)),
    conv("conv2d keras", [1, 4, 3], (2, 1, 2, 3), pad=(1, 1, 0, 1)),
    conv("conv2d same stride", [2, 7, 6], (3, 2, 4, 3), pad=(0, 1, 1, 2), stride=(3, 2)),
    conv("conv2d stride", [2, 7, 8], (3, 2, 3, 2), stride=(2, 3), padding=(1, 0)),
    conv("conv2d dilated", [2, 6, 5], (4, 1, 3, 3), **dilated),
    conv("conv2d uneven", [2, 3, 3], (2, 2, 2, 2), bias=False, pad=(2, 1, 0, 3)),
    conv("conv2d wide", [1, 7, 9], (2, 1, 5, 5), padding=2),
    conv("conv3d", [2, 3, 2, 4], (2, 2, 2, 1, 3)),
    conv("conv3d options", [2, 3, 4, 3], (2, 1, 2, 2, 2), **volumes),
    conv("conv3d same", [1, 3, 4, 5], (2, 1, 3, 2, 3), pad=(1, 1, 0, 1, 1, 1)),
    conv("depthwise 1d", [3, 16], (6, 1, 3), padding=1, groups=3),
    conv("depthwise 2d", [3, 4, 5], (3, 1, 3, 2), bias=False, padding=(1, 0), groups=3),
    conv("depthwise 2d keras", [2, 7, 5], (4, 1, 3, 3), stride=2, groups=2),
    separable("separable 1d", [2, 9], (2, 1, 3), (4, 2, 1), stride=2),
    separable("separable 2d", [2, 4, 4], (4, 1, 2, 3), (3, 4, 1, 1), pad=(2, 2, 0, 1), dilation=(1, 2)),
    transpose("conv transpose 1d", [3, 5], (3, 2, 4), stride=3),
    transpose("conv transpose 1d cut", [2, 16], (2, 2, 3), padding=1, dilation=2, cut=[1]),
    transpose("conv transpose 2d", [2, 2, 3], (2, 2, 3, 2), **spread),
    transpose("conv transpose 2d groups", [4, 2, 3], (4, 1, 3, 2), bias=False, groups=2, dilation=(1, 2), **spread),
    transpose("conv transpose 2d same", [2, 3, 2], (2, 2, 5, 4), stride=(2, 3), padding=(1, 0), cut=[1, 1]),
    transpose("conv transpose 2d gaps", [2, 2, 3], (2, 2, 1, 1), stride=2),
    transpose("conv transpose 3d", [2, 3, 2, 2], (2, 2, 2, 1, 3),
              stride=(1, 2, 2), padding=(1, 0, 1), output_padding=(0, 1, 0)),
    case("unfold", [3, 4, 5], [], lambda x: F.unfold(x, (2, 3)), rows=1),
    case("unfold options", [2, 4, 4], [], lambda x: F.unfold(x, **patches), rows=1),
    case("fold", [12, 9], [], lambda x: F.fold(x, (4, 5), (2, 3)), rows=1),
    case("fold options", [6, 9], [], lambda x: F.fold(x, (4, 4), **patches), rows=1),
    case("unfold 1d", [1, 8], [], lambda x: F.pad(x, (0, 1)).unfold(2, 3, 2).mT, rows=1),
    case("fold 3d", [4, 4], [], fold_3d, rows=1),
    conv("conv1d wide", [3, 18], (2, 3, 3)),
    conv("conv1d phases", [1, 300], (2, 1, 4), stride=3, dilation=2, padding=4),
    conv("conv2d 1x1 stride", [3, 5, 3], (2, 3, 1, 1), stride=2),
    conv("conv2d whole", [2, 4, 4], (3, 2, 4, 4), rows=2),
    conv("conv2d half", [2, 13, 18], (3, 2, 3, 3), stride=2, padding=1),
    conv("conv2d many channels", [5, 7, 9], (17, 5, 3, 3), padding=1),
    conv("conv2d beyond", [1, 2, 2], (1, 1, 2, 2), padding=3, dilation=4),
    transpose("conv transpose 2d stride 1", [2, 8, 8], (2, 3, 3, 3), padding=1),
])  # fmt: skip
