"""Measures training steps of dense networks of many shapes, in chainrule, PyTorch and JAX, and prints a table in Markdown.

    venv/bin/python benches/peers/grid.py [--document docs/performance.md]

The list is `grid.json`. Each network is trained by each framework in turn, in a process of its own, on one thread and on all
cores. Frameworks that are not installed are left out with a message. Run it on an idle machine.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import geometric_mean, median

from document import write_between

HERE = Path(__file__).resolve().parent
PEERS = {"PyTorch": ("torch", "eager"), "JAX": ("jax", "scan")}
# Multiplications of an epoch, the values that its samples may have, and how many steps it has at least and at most.
EFFORT, MAX_VALUES, STEPS = 1e10, 2**26, (4, 2000)


def ends(network):
    """The activation and the number of outputs: a ReLU and ten classes where the list says nothing else."""
    return network.get("activation", "relu"), network.get("outputs", 10)


def steps(network):
    """The number of steps of an epoch: about as much work for each network, as far as the samples fit into memory."""
    inputs, width, depth, batch = (network[key] for key in ("inputs", "width", "depth", "batch"))
    work = 6 * batch * (inputs * width + (depth - 1) * width**2 + ends(network)[1] * width)
    fitting = MAX_VALUES // (batch * inputs)
    return int(min(max(min(EFFORT / work, fitting), STEPS[0]), STEPS[1]))


def run(framework, network, threads):
    """The line that a program reports, or None."""
    sizes = [str(network[key]) for key in ("inputs", "width", "depth", "batch")]
    activation, outputs = ends(network)
    common = ["--threads", str(threads), "--steps", str(steps(network))]
    common += ["--activation", activation, "--outputs", str(outputs), *sizes]
    if framework == "chainrule":
        command = ["cargo", "run", "-q", "--release", "-p", "chainrule-benches", "--bin", "grid", "--", *common]
    else:
        command = [sys.executable, HERE / "train_grid.py", "--framework", PEERS[framework][0], *common]
    # Variables set for another program must not choose the kernel of OpenBLAS.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=HERE.parents[1])
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        print(f"left out: {framework} {network}: {last}", file=sys.stderr)
        return None
    line = json.loads(done.stdout.strip().splitlines()[-1])
    print(framework, threads, network, line, file=sys.stderr, flush=True)
    return line


def number(us):
    return f"{us:.1f}" if us < 100 else f"{us:,.0f}"


def table(rows, frameworks, counts):
    """A row for each network; "faster by" is the time of the fastest other framework over that of chainrule."""
    peers = frameworks[1:]
    columns = [f"{count} thread{'s' if count > 1 else ''} | {' | '.join(peers)} | faster by" for count in counts]
    yield f"| network, batch | {' | '.join(columns)} | memory |"
    yield "|---" * (2 + len(counts) * (len(frameworks) + 1)) + "|"
    ratios = {count: [] for count in counts}
    versions = {}
    for network, runs in rows:
        shape = f"{network['inputs']}-{network['width']}" + (f"x{network['depth']}" if network["depth"] > 1 else "")
        activation, outputs = ends(network)
        named = "" if activation == "relu" else f" {activation}"
        cells = [f"{shape}-{outputs}{named}, {network['batch']}"]
        for count in counts:
            times = {}
            for framework in frameworks:
                lines = runs[framework, count]
                versions |= {framework: line["version"] for line in lines}
                times[framework] = median(line["step_us"] for line in lines) if lines else None
                cells.append(number(times[framework]) if lines else "")
            best = min((times[peer] for peer in peers if times[peer]), default=None)
            if best and times["chainrule"]:
                ratios[count].append(best / times["chainrule"])
                cells.append(f"{ratios[count][-1]:.2f}")
            else:
                cells.append("")
        memory = [[line["peak_mib"] for line in runs[framework, counts[0]]] for framework in frameworks]
        cells.append(" / ".join(f"{max(peaks):.0f}" if peaks else "" for peaks in memory))
        yield f"| {' | '.join(cells)} |"
    yield ""
    means = [f"{geometric_mean(ratios[count]):.2f} on {count} thread{'s' if count > 1 else ''} (another one faster in "
             f"{sum(ratio < 1 for ratio in ratios[count])} of {len(ratios[count])})" for count in counts if ratios[count]]
    yield f"Geometric mean: {', '.join(means)}. Versions: {'; '.join(f'{name} {version}' for name, version in versions.items())}."


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", nargs="+", type=int, default=sorted({1, os.cpu_count() or 1}))
    parser.add_argument("--rounds", type=int, default=1, help="how often each network is trained, in turn with the others")
    parser.add_argument("--document", type=Path, help="a document to write the table into, between its markers")
    chosen = parser.parse_args()
    installed = [name for name, (module, _) in PEERS.items() if importlib.util.find_spec(module)]
    for name in PEERS.keys() - installed:
        print(f"left out: {name} is not installed", file=sys.stderr)
    frameworks = ["chainrule", *installed]
    rows = []
    for network in json.loads((HERE / "grid.json").read_text()):
        runs = {}
        for count in chosen.threads:
            for _ in range(chosen.rounds):
                for framework in frameworks:
                    line = run(framework, network, count)
                    runs.setdefault((framework, count), []).extend([line] if line else [])
        rows.append((network, runs))
    text = "\n".join(table(rows, frameworks, chosen.threads))
    print(text)
    if chosen.document:
        write_between(chosen.document, "grid", text)


if __name__ == "__main__":
    main()
