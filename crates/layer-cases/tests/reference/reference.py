"""Reference values of layers, from PyTorch: what the scripts beside this one have in common.

    pip install torch==2.15.0 keras==3.15.1 numpy==2.4.6
    for family in *.py; do [ $family = reference.py ] || python $family; done

Each script lists the cases of one family and writes a file of its name, `dense.json`. A case is a function of
`x` and of parameters in the shapes, layout and order in which the layer of the same name in `crates/layer-cases/src`
declares them. Inputs, parameters and `dy` are made by a rule (`fill`) that the test knows too, so only results are stored.
"""

import json
import pathlib
import sys

import numpy
import torch

torch.set_default_dtype(torch.float64)


def fill(seed, count):
    """Numbers in [-1, 1) that look random."""
    mask = 0xFFFFFFFF
    k = (numpy.arange(count, dtype=numpy.uint64) * 2654435761 + seed * 40503 + 12345) & mask
    for factor in (0x85EBCA6B, 0xC2B2AE35):
        k = ((k ^ (k >> 15)) * factor) & mask
    return (k ^ (k >> 16)).astype(numpy.float64) / 2.0**31 - 1.0


class Buffer(tuple):
    """The shape of a running statistic: it starts around 1, and `f` returns its next value."""


def case(name, input, params, f, rows=3, value=None, ids=False, train=False):
    """One layer: `f(x, *params)` for `x` of shape `[rows, *input]` gives `y`, or `(y, [next buffers])`.

    `value(index in the sample, any number)` makes the inputs, as in the case of the same name, for arrays.
    """
    size = int(numpy.prod(input))
    x = fill(1, rows * size).reshape(rows, size)
    if value:
        x = value(numpy.broadcast_to(numpy.arange(size), x.shape), x)
    x = torch.tensor(x.reshape(rows, *input), requires_grad=not ids)
    start, leaves = 0, []
    total = sum(int(numpy.prod(shape)) for shape in params)
    values = 0.5 * fill(2, total)
    for shape in params:
        count = int(numpy.prod(shape))
        part = values[start : start + count] + (1.0 if isinstance(shape, Buffer) else 0.0)
        leaves.append(torch.tensor(part.reshape(tuple(shape)), requires_grad=not isinstance(shape, Buffer)))
        start += count
    result = f(x, *leaves)
    y, buffers = result if isinstance(result, tuple) else (result, [])
    y = y.reshape(rows, -1)
    dy = torch.tensor(fill(3, y.numel()).reshape(y.shape))
    if y.requires_grad:
        y.backward(dy)
    grads, buffers = [], iter(buffers)
    for shape, leaf in zip(params, leaves):
        if isinstance(shape, Buffer):
            grads.append(next(buffers))
        else:
            grads.append(torch.zeros_like(leaf) if leaf.grad is None else leaf.grad)
    numbers = lambda tensors: [float(f"{v:.9g}") for t in tensors for v in t.detach().reshape(-1).tolist()]
    dx = [] if ids else [torch.zeros_like(x) if x.grad is None else x.grad]
    return {
        "name": name, "rows": rows, "train": train, "y": numbers([y]), "dx": numbers(dx), "grads": numbers(grads),
    }  # fmt: skip


def write(cases):
    """Writes the file of the script that calls this."""
    path = pathlib.Path(sys.argv[0]).with_suffix(".json")
    lines = ",\n".join(json.dumps(case) for case in cases)
    path.write_text(f'{{"torch": "{torch.__version__}", "cases": [\n{lines}\n]}}\n')
    print(f"{path}: {len(cases)} cases, {path.stat().st_size} bytes")
