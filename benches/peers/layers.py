"""Measures single layers of chainrule and of PyTorch, forward and backward on one thread, and prints a table in Markdown.

    venv/bin/python benches/peers/layers.py [--document docs/measurements.md] [WORD ...]

The list is `layers.json`: the description of a layer for chainrule, the same for PyTorch, the shape of a sample, and the batch. Of
each pass the least time counts; a backward pass computes the gradients of the input and of the parameters. The two programs take
turns, case by case, and a case is measured in several rounds, of which the medians count. Run it on an idle machine.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import geometric_mean, median

for library in "OMP", "OPENBLAS", "MKL":
    os.environ[f"{library}_NUM_THREADS"] = "1"

import torch
from torch import nn

from document import write_between

HERE = Path(__file__).resolve().parent


class Permuted(nn.Module):
    """Axes in another order, counted without the batch, as a copy: a view would move the work into the next layer."""

    def __init__(self, *axes):
        super().__init__()
        self.axes = [0, *(axis + 1 for axis in axes)]

    def forward(self, x):
        return x.permute(self.axes).contiguous()


class Recurrent(nn.Module):
    """The outputs of a recurrent layer."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)[0]


class SelfAttention(nn.Module):
    """Attention of a sequence to itself."""

    def __init__(self, size, heads):
        super().__init__()
        self.attention = nn.MultiheadAttention(size, heads, batch_first=True)

    def forward(self, x):
        return self.attention(x, x, x, need_weights=False)[0]


def least(run, seconds):
    """The least time in microseconds of what `run` returns the time of."""
    run()
    end = time.perf_counter() + seconds
    best = run()
    while time.perf_counter() < end:
        best = min(best, run())
    return 1e6 * best


def of_torch(case, seconds):
    """The times of both passes."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    layer = eval(case["torch"], {**vars(nn), "nn": nn, "Permuted": Permuted, "Recurrent": Recurrent,
                                 "SelfAttention": SelfAttention})
    shape = [case["batch"], *case["input"]]
    if case.get("indices"):
        x = torch.randint(case["indices"], shape)
    else:
        x = torch.randn(shape, requires_grad=True)
    leaves = [leaf for leaf in [x, *layer.parameters()] if leaf.requires_grad]
    dy = torch.randn_like(layer(x))

    def forward():
        start = time.perf_counter()
        layer(x)
        return time.perf_counter() - start

    def backward():
        y = layer(x)
        start = time.perf_counter()
        torch.autograd.grad(y, leaves, dy)
        return time.perf_counter() - start

    return {"name": case["name"], "forward": least(forward, seconds), "backward": least(backward, seconds)}


def of_chainrule(case, seconds):
    """The times of both passes."""
    command = ["cargo", "run", "-q", "--release", "-p", "chainrule-benches", "--bin", "layers", "--",
               "--milliseconds", str(int(1000 * seconds)), case["name"]]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=HERE.parents[1], check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return next(line for line in lines if line["name"] == case["name"])


def table(rows):
    """Slowest first: the times in microseconds, and PyTorch's over ours."""
    yield "| layer, batch | ours f | b | PyTorch f | b | faster by f | b | both |"
    yield "|---|---|---|---|---|---|---|---|"
    ratios = []
    lines = []
    for name, ours, theirs in rows:
        passes = "forward", "backward"
        both = sum(theirs[p] for p in passes) / sum(ours[p] for p in passes)
        ratios.append(both)
        times = " | ".join(f"{side[p]:.1f}" for side in (ours, theirs) for p in passes)
        by = " | ".join(f"{theirs[p] / ours[p]:.2f}" for p in passes)
        lines.append((both, f"| {name} | {times} | {by} | {both:.2f} |"))
    yield from (line for _, line in sorted(lines))
    yield ""
    yield (f"Median {median(ratios):.2f}, geometric mean {geometric_mean(ratios):.2f}, "
           f"PyTorch faster in {sum(ratio < 1 for ratio in ratios)} of {len(ratios)}. PyTorch {torch.__version__}, eager, one thread.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("only", nargs="*", help="measure only the cases whose name contains one of these words")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.3, help="of each pass in each round")
    parser.add_argument("--document", type=Path, help="a document to write the table into, between its markers")
    chosen = parser.parse_args()
    cases = json.loads((HERE / "layers.json").read_text())
    cases = [case for case in cases if not chosen.only or any(word in case["name"] for word in chosen.only)]
    rows = []
    for case in cases:
        rounds = [(of_chainrule(case, chosen.seconds), of_torch(case, chosen.seconds)) for _ in range(chosen.rounds)]
        ours, theirs = ({p: median(side[i][p] for side in rounds) for p in ("forward", "backward")} for i in (0, 1))
        rows.append((case["name"], ours, theirs))
        print(case["name"], ours, theirs, file=sys.stderr, flush=True)
    text = "\n".join(table(rows))
    print(text)
    if chosen.document:
        write_between(chosen.document, "layers", text)


if __name__ == "__main__":
    main()
