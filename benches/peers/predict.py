"""Measures predictions in chainrule, ONNX Runtime and PyTorch on one thread, and prints a table in Markdown.

    venv/bin/python benches/peers/predict.py [--document docs/measurements.md]

Each network is run by each framework in turn, in a process of its own: chainrule by the program `predict`, which also writes the network
for ONNX Runtime; PyTorch eagerly, in its inference mode. Frameworks that are not installed are left out with a message. A second table has
evaluations by chainrule alone, on one and on two threads, as a share of the sgemm peak. Run it on an idle machine.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from document import write_between

HERE = Path(__file__).resolve().parent
PEERS = {"ONNX Runtime": "onnxruntime", "PyTorch": "torch"}
NETWORKS = {"tutorial": "784-64-64-10", "lenet": "LeNet-5"}
ROWS = 1, 256
# The samples of an evaluation, and its threads.
EVALUATED = 20_000
THREADS = 1, 2


def calls(predict, seconds):
    """The median time of a call in microseconds, after a quarter of the time to warm up."""
    for part in seconds / 4, seconds:
        times = []
        end = time.perf_counter() + part
        while not times or time.perf_counter() < end:
            start = time.perf_counter()
            predict()
            times.append(time.perf_counter() - start)
    return 1e6 * median(times)


def of_onnxruntime(network, rows, seconds, path):
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    x = numpy.random.default_rng(0).random((rows, 28, 28), dtype=numpy.float32)
    feed = {session.get_inputs()[0].name: x}
    return calls(lambda: session.run(None, feed), seconds), onnxruntime.__version__


def of_torch(network, rows, seconds, path):
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(0)
    dense = [nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)]
    lenet = [nn.Unflatten(1, (1, 28)), nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5),
             nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(),
             nn.Linear(84, 10)]
    model = nn.Sequential(*(dense if network == "tutorial" else lenet)).eval()
    x = torch.rand(rows, 28, 28)
    with torch.inference_mode():
        return calls(lambda: model(x), seconds), f"{torch.__version__}, eager"


def run(framework, network, rows, seconds, path, threads=None):
    """The line that a process reports, or None: of predictions, or of evaluations on so many threads."""
    if framework == "chainrule":
        work = ["--evaluate", str(threads)] if threads else ["--onnx", path]
        command = ["cargo", "run", "-q", "--release", "-p", "chainrule-benches", "--bin", "predict", "--", *work,
                   "--milliseconds", str(int(1000 * seconds)), network, str(rows)]
    else:
        command = [sys.executable, __file__, "--framework", PEERS[framework], "--network", network, "--rows", str(rows),
                   "--seconds", str(seconds), "--onnx", path]
    # Variables set for another program must not choose the kernel of OpenBLAS.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    environment |= {f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=HERE.parents[1])
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        print(f"left out: {framework} {network}: {last}", file=sys.stderr)
        return None
    line = json.loads(done.stdout.strip().splitlines()[-1])
    print(framework, network, rows, line, file=sys.stderr, flush=True)
    return line


def table(rows, frameworks):
    """A row for each network and number of samples: medians in microseconds, and each framework's time over ours."""
    peers = frameworks[1:]
    yield f"| network, samples | chainrule | {' | '.join(peers)} | faster than {' | than '.join(peers)} | allocations |"
    yield "|---" * (2 * len(frameworks) + 1) + "|"
    versions = {}
    for name, lines in rows:
        times = {framework: line and line["call_us"] for framework, line in lines.items()}
        versions |= {framework: line["version"] for framework, line in lines.items() if line}
        ours = times["chainrule"]
        cells = [f"{times[framework]:,.1f}" if times[framework] else "" for framework in frameworks]
        cells += [f"{times[peer] / ours:.2f}" if ours and times[peer] else "" for peer in peers]
        cells.append(str(lines["chainrule"]["allocations"]) if ours else "")
        yield f"| {name} | {' | '.join(cells)} |"
    yield ""
    yield f"Versions: {'; '.join(f'{name} {version}' for name, version in versions.items())}."


def evaluations(seconds, rounds):
    """A row for each network: microseconds for a sample and the share of the peak, for each number of threads."""
    yield "| network | " + " | ".join(f"{n} thread{'s' * (n > 1)}, µs a sample | of the peak" for n in THREADS) + " |"
    yield "|---" * (1 + 2 * len(THREADS)) + "|"
    for network, name in NETWORKS.items():
        cells = []
        for threads in THREADS:
            lines = [run("chainrule", network, EVALUATED, seconds, None, threads) for _ in range(rounds)]
            best = min(filter(None, lines), key=lambda line: line["call_us"], default=None)
            cells += [f"{best['call_us'] / EVALUATED:.3f}", f"{best['peak_share']:.0%}"] if best else ["", ""]
        yield f"| {name} | {' | '.join(cells)} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1, help="how long each measurement lasts")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured, in turn with the others; the least counts")
    parser.add_argument("--document", type=Path, help="a document to write the table into, between its markers")
    for option in "--framework", "--network", "--onnx":
        parser.add_argument(option, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.framework:
        measure = {"onnxruntime": of_onnxruntime, "torch": of_torch}[chosen.framework]
        call_us, version = measure(chosen.network, chosen.rows, chosen.seconds, chosen.onnx)
        print(json.dumps({"call_us": call_us, "version": version}))
        return
    installed = [name for name, module in PEERS.items() if importlib.util.find_spec(module)]
    for name in PEERS.keys() - installed:
        print(f"left out: {name} is not installed", file=sys.stderr)
    frameworks = ["chainrule", *installed]
    found = []
    with tempfile.TemporaryDirectory() as directory:
        path = str(Path(directory) / "network.onnx")
        for network, name in NETWORKS.items():
            for rows in ROWS:
                lines = {}
                for _ in range(chosen.rounds):
                    for framework in frameworks:
                        line = run(framework, network, rows, chosen.seconds, path)
                        best = lines.get(framework)
                        if line and (not best or line["call_us"] < best["call_us"]):
                            best = line
                        lines[framework] = best
                found.append((f"{name}, {rows}", lines))
    text = "\n".join(table(found, frameworks))
    print(text)
    evaluated = "\n".join(evaluations(chosen.seconds, chosen.rounds))
    print(evaluated)
    if chosen.document:
        write_between(chosen.document, "predict", f"{text}\n\n{evaluated}")


if __name__ == "__main__":
    main()
