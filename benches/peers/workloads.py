"""What the programs in this directory share: the workloads, MNIST in memory, and the line of JSON that each prints.

Import it before anything that computes: it sets the variables by which libraries choose their number of threads.
"""

import argparse
import gzip
import json
import os
import resource
from pathlib import Path

# Batch size, epochs, and the network: its name, or the units of two hidden layers.
WORKLOADS = {
    "mlp32": (32, 5, 64),
    "mlp128": (128, 5, 64),
    "wide128": (128, 5, 512),
    "lenet64": (64, 2, "lenet"),
    "lstm64": (64, 2, "lstm"),
    "transformer64": (64, 2, "transformer"),
    "resnet64": (64, 2, "resnet"),
}

LEARNING_RATE = 1e-3
EPSILON = 1e-7  # Keras' default


def arguments(*variants):
    """The command line; the first variant is the default."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True, help="a directory with the four files of MNIST")
    parser.add_argument("--workload", choices=WORKLOADS, default="mlp32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--variant", choices=variants, default=variants[0])
    chosen = parser.parse_args()
    chosen.batch, chosen.epochs, chosen.network = WORKLOADS[chosen.workload]
    for library in "OMP", "OPENBLAS", "MKL":
        os.environ[f"{library}_NUM_THREADS"] = str(chosen.threads)
    return chosen


def mnist(directory):
    """Training images and classes, then those of the test; images are rows of numbers from 0 to 1."""
    import numpy

    def read(name, header):
        plain = directory / name
        data = plain.read_bytes() if plain.exists() else gzip.decompress((directory / f"{name}.gz").read_bytes())
        return numpy.frombuffer(data, numpy.uint8, offset=header)

    def part(name):
        images = read(f"{name}-images-idx3-ubyte", 16).reshape(-1, 784)
        return images.astype(numpy.float32) / 255, read(f"{name}-labels-idx1-ubyte", 8).astype(numpy.int64)

    return *part("train"), *part("t10k")


def report(framework, version, chosen, epoch_seconds, accuracy):
    """Prints the line that `cargo xtask bench --peers` prints too."""
    line = {
        "framework": framework,
        "version": version,
        "workload": chosen.workload,
        "batch": chosen.batch,
        "threads": chosen.threads,
        "epoch_seconds": epoch_seconds,
        "test_accuracy": float(accuracy),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
    }
    print(json.dumps(line), flush=True)
