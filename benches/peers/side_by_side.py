"""Runs chainrule and the programs in this directory on the same workloads, in turn, and prints a table in Markdown.

    python -m venv venv
    venv/bin/pip install -r benches/peers/requirements.txt
    venv/bin/python benches/peers/side_by_side.py --data DIRECTORY_OF_MNIST --document docs/measurements.md

Frameworks that are not installed are left out with a message. Run it on an idle machine: with two threads, another
program on one of two cores makes a training several times longer.
"""

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from statistics import geometric_mean, median

from document import write_between
from workloads import WORKLOADS

OURS = "chainrule"
HERE = Path(__file__).resolve().parent
PEERS = {
    "torch": [("train_torch.py", "eager"), ("train_torch.py", "compiled")],
    "jax": [("train_jax.py", "scan")],
    "keras": [("train_keras.py", "fit")],
    "sklearn": [("train_sklearn.py", "fit")],
}
# It trains dense layers only.
DENSE_ONLY = "train_sklearn.py"
# Networks with convolutions, which JAX runs faster as products.
CONVOLUTIONAL = {"lenet64", "resnet64"}


def commands(frameworks, workloads, threads, data, rounds):
    """The commands to run, in the order of the workloads: for each, all programs in turn, once a round."""
    chainrule = ["cargo", "run", "-q", "--release", "-p", "chainrule-benches", "--bin", "steps", "--"]
    for workload in workloads:
        for count in [count for count in threads for _ in range(rounds)]:
            common = ["--workload", workload, "--threads", str(count)]
            if OURS in frameworks:
                yield [*chainrule, "--peers", *common, "--data-dir", data]
            for name, programs in PEERS.items():
                for program, variant in programs if name in frameworks else []:
                    if workload in CONVOLUTIONAL and variant == "scan":
                        variant = "patches"
                    if program != DENSE_ONLY or isinstance(WORKLOADS[workload][2], int):
                        yield [sys.executable, HERE / program, "--data", data, "--variant", variant, *common]


def run(command):
    """The line that a program reports, or None."""
    # Variables set for another program must not choose the kernel of OpenBLAS.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=HERE.parents[1])
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        print(f"left out: {' '.join(map(str, command[-8:]))}: {last}", file=sys.stderr)
        return None
    line = json.loads(done.stdout.strip().splitlines()[-1])
    print(json.dumps(line), file=sys.stderr)
    return line


def table(lines):
    """A row for each workload and number of threads, a column for each framework: the seconds of an epoch and the accuracy.

    "Faster by" is the time of the fastest other framework over that of chainrule; what somebody else wins comes first.
    """
    frameworks = list(dict.fromkeys(line["framework"] for line in lines))
    rows = []
    for workload, threads in dict.fromkeys((line["workload"], line["threads"]) for line in lines):
        runs = {framework: [] for framework in frameworks}
        for line in lines:
            if (line["workload"], line["threads"]) == (workload, threads):
                runs[line["framework"]].append(line)
        others = [best(same) for framework, same in runs.items() if same and framework != OURS]
        faster = min(others) / best(runs[OURS]) if others and runs.get(OURS) else None
        rows.append((workload, threads, faster, [cell(same) for same in runs.values()]))
    rows.sort(key=lambda row: row[2] is None or row[2] >= 1)
    yield "| workload, threads | " + " | ".join(frameworks) + " | faster by |"
    yield "|---" * (len(frameworks) + 2) + "|"
    for workload, threads, faster, cells in rows:
        yield f"| `{workload}`, {threads} | {' | '.join(cells)} | {f'{faster:.2f}' if faster else ''} |"
    yield ""
    ratios = [faster for _, _, faster, _ in rows if faster]
    if ratios:
        yield f"Geometric mean: {geometric_mean(ratios):.2f}; another one is faster in {sum(r < 1 for r in ratios)} of {len(ratios)}."
    versions = dict.fromkeys((line["framework"].split(",")[0], line["version"]) for line in lines)
    yield "Versions: " + "; ".join(f"{name} {version}" for name, version in versions) + "."
    epochs = "; ".join(f"{workload}: {len(line['epoch_seconds'])} epochs of batches of {line['batch']}"
                       for workload, line in {line["workload"]: line for line in lines}.items())
    rounds = max(Counter((line["framework"], line["workload"], line["threads"]) for line in lines).values(), default=0)
    yield (f"Of each training the best epoch: the median of {rounds} trainings, in brackets the fastest, and the accuracy on "
           f"the test set after the last epoch of the first. {epochs}.")


def best(runs):
    """The median over trainings of the seconds of their best epochs."""
    return median(min(run["epoch_seconds"]) for run in runs)


def cell(runs):
    """The cell of the table for the trainings of one framework, workload and number of threads."""
    if not runs:
        return ""
    fastest = min(second for run in runs for second in run["epoch_seconds"])
    return f"{best(runs):.3f} s ({fastest:.3f}), {100 * runs[0]['test_accuracy']:.2f} %"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a directory with the four files of MNIST")
    parser.add_argument("--only", nargs="+", choices=[OURS, *PEERS], default=[OURS, *PEERS])
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--threads", nargs="+", type=int, default=sorted({1, os.cpu_count() or 1}))
    parser.add_argument("--rounds", type=int, default=3, help="how often each training is run, in turn with the others")
    parser.add_argument("--document", type=Path, help="a document to write the table into, between its markers")
    chosen = parser.parse_args()
    data = chosen.data.resolve()
    lines = [run(command) for command in commands(chosen.only, chosen.workloads, chosen.threads, data, chosen.rounds)]
    text = "\n".join(table([line for line in lines if line]))
    print(text)
    if chosen.document:
        write_between(chosen.document, "peers", text)


if __name__ == "__main__":
    main()
