"""The poolings: see reference.py."""

import math

from torch.nn import functional as F

from reference import case, write


def unpool(x, values, input, kernel):
    """Of samples that hold `values` and the pooling's `input`, of these shapes, side by side."""
    count = math.prod(values)
    pool = [F.max_pool1d, F.max_pool2d, F.max_pool3d][len(input) - 2]
    back = [F.max_unpool1d, F.max_unpool2d, F.max_unpool3d][len(input) - 2]
    indices = pool(x[:, count:].detach().reshape(-1, *input), kernel, return_indices=True)[1]
    return back(x[:, :count].reshape(-1, *values), indices, kernel, output_size=input[1:])


write([
    case("max pool 1d", [2, 9], [], lambda x: F.max_pool1d(x, 3, 2)),
    case("max pool 1d dilated", [3, 8], [], lambda x: F.max_pool1d(x, 2, 1, dilation=3)),
    case("max pool 2d", [3, 6, 4], [], lambda x: F.max_pool2d(x, 2)),
    case("max pool 2d odd", [2, 5, 7], [], lambda x: F.max_pool2d(x, 2), rows=1),
    case("max pool 2d overlapping", [2, 7, 6], [], lambda x: F.max_pool2d(x, 3, 2, 1), rows=1),
    case("max pool 2d ceil", [2, 5, 7], [], lambda x: F.max_pool2d(x, (2, 3), ceil_mode=True), rows=1),
    case("max pool 3d padded", [1, 3, 4, 5], [], lambda x: F.max_pool3d(x, (1, 2, 3), 2, (0, 1, 1))),
    case("avg pool 1d", [2, 9], [], lambda x: F.avg_pool1d(x, 3, 2, 1)),
    case("avg pool 2d", [3, 6, 4], [], lambda x: F.avg_pool2d(x, 2)),
    case("avg pool 2d padded", [2, 7, 6], [], lambda x: F.avg_pool2d(x, 3, 2, 1), rows=1),
    case("avg pool 2d excluding", [2, 7, 6], [], lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)),
    case("avg pool 2d ceil", [1, 6, 8], [], lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True)),
    case("avg pool 3d", [2, 4, 3, 4], [], lambda x: F.avg_pool3d(x, (2, 1, 2))),
    case("lp pool 1d", [2, 9], [], lambda x: F.lp_pool1d(x, 2.0, 3, 2)),
    case("lp pool 2d", [2, 4, 6], [], lambda x: F.lp_pool2d(x, 4.0, 2)),
    case("lp pool 3d", [1, 2, 4, 2], [], lambda x: F.lp_pool3d(x, 2.0, 2)),
    case("adaptive max pool 1d", [2, 8], [], lambda x: F.adaptive_max_pool1d(x, 3)),
    case("adaptive max pool 2d", [2, 7, 5], [], lambda x: F.adaptive_max_pool2d(x, (3, 2))),
    case("adaptive max pool 3d", [1, 3, 4, 2], [], lambda x: F.adaptive_max_pool3d(x, (2, 3, 1))),
    case("adaptive avg pool 1d", [2, 8], [], lambda x: F.adaptive_avg_pool1d(x, 5)),
    case("adaptive avg pool 2d", [2, 7, 4], [], lambda x: F.adaptive_avg_pool2d(x, (3, 6))),
    case("adaptive avg pool 3d", [1, 3, 4, 2], [], lambda x: F.adaptive_avg_pool3d(x, 2)),
    case("global max pool", [3, 4, 5], [], lambda x: x.amax((2, 3))),
    case("global avg pool", [3, 4, 5], [], lambda x: x.mean((2, 3))),
    case("max pool 2d whole", [2, 4, 3], [], lambda x: F.max_pool2d(x, (4, 3)), rows=1),
    case("max pool 3d", [2, 4, 5, 4], [], lambda x: F.max_pool3d(x, 2), rows=1),
    case("global avg pool 3d", [2, 2, 3, 2], [], lambda x: x.mean((2, 3, 4)), rows=1),
    # Where windows overlap, PyTorch gives a gradient to values too that others have overwritten.
    case("max unpool 1d apart", [26], [], lambda x: unpool(x, [2, 4], [2, 9], 2), rows=1),
    case("max unpool 2d", [60], [], lambda x: unpool(x, [2, 2, 3], [2, 4, 6], 2), rows=1),
    case("max unpool 3d", [52], [], lambda x: unpool(x, [1, 2, 1, 2], [1, 4, 3, 4], 2), rows=1),
])  # fmt: skip
