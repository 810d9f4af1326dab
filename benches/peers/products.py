"""Measures the bare products of the workloads in other libraries, where they are installed, and prints a table in Markdown.

    cargo xtask bench --dense
    python3 benches/peers/products.py target/bench/bench.json [--document docs/measurements.md]

The file has our steps and their products. OpenBLAS and Intel MKL (the package `mkl` of PyPI, or that of Intel) are called through CBLAS;
LIBXSMM (Debian's `libxsmm-dev`) generates kernels for small products that are not transposed, and gives the rest to OpenBLAS. Each
library runs in a process of its own, on one thread. It takes a compiler for C.
"""

import argparse
import ctypes.util
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from document import write_between

HERE = Path(__file__).resolve().parent


def mkl():
    """The path of MKL's library, or None."""
    places = [sysconfig.get_paths()["data"] + "/lib", *os.environ.get("LD_LIBRARY_PATH", "").split(":"), os.environ.get("MKLROOT", "") + "/lib"]
    found = [path for place in places if place for path in sorted(Path(place).glob("libmkl_rt.so*"))]
    return str(found[-1]) if found else ctypes.util.find_library("mkl_rt")


def compiled(folder, *arguments):
    """A program of products.c, or None if what it needs is not there: then it says why."""
    program = folder / f"products{len(list(folder.iterdir()))}"
    command = ["cc", "-O2", HERE / "products.c", "-o", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print((done.stderr.strip().splitlines() or ["cc failed"])[0], file=sys.stderr)
        return None
    return program


def libraries(folder):
    """The commands of the libraries that are there, by their names."""
    plain = compiled(folder, "-ldl")
    if plain is None:
        raise SystemExit("there is no compiler for C: install one, such as gcc")
    candidates = {
        "OpenBLAS": (plain, ctypes.util.find_library("openblas")),
        "MKL": (plain, mkl()),
        "LIBXSMM": (compiled(folder, "-DLIBXSMM", "-lxsmm", "-lopenblas", "-lm", "-ldl"), ""),
    }
    for name, (program, argument) in candidates.items():
        if program and argument is not None:
            yield name, [program, *([argument] if argument else [])]
        else:
            print(f"left out: {name} is not installed", file=sys.stderr)


def run(command, products):
    """The microseconds of a step, and the version of the library."""
    lines = "".join(" ".join(map(str, product)) + "\n" for product in products)
    # OpenBLAS has no kernel of this name, so it detects the CPU.
    environment = os.environ | {"OPENBLAS_CORETYPE": "auto", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "MKL_THREADING_LAYER": "SEQUENTIAL", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, input=lines, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"{command[0]}: {done.stderr.strip()}")
    time, version = done.stdout.splitlines()[:2]
    return float(time), version.strip()


def table(figures, found):
    """A row for each workload: our step, and its products in each library in microseconds and as a share of our step."""
    versions = {}
    yield f"| workload | our step, µs | {' | '.join(name for name, _ in found)} |"
    yield "|---" * (2 + len(found)) + "|"
    for figure in figures:
        cells = []
        for name, command in found:
            time, versions[name] = run(command, figure["products"])
            cells.append(f"{time:.1f} ({time / figure['ours_us']:.2f})")
        yield f"| `{figure['workload']}` | {figure['ours_us']:.1f} | {' | '.join(cells)} |"
    yield ""
    yield "Versions: " + "; ".join(f"{name}: {version}" for name, version in versions.items()) + "."


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", type=Path, help="what cargo xtask bench has written")
    parser.add_argument("--document", type=Path, help="a document to write the table into, between its markers")
    chosen = parser.parse_args()
    figures = [figure for figure in json.loads(chosen.figures.read_text()) if figure["threads"] == 1]
    with tempfile.TemporaryDirectory() as folder:
        text = "\n".join(table(figures, list(libraries(Path(folder)))))
    print(text)
    if chosen.document:
        write_between(chosen.document, "products", text)


if __name__ == "__main__":
    main()
