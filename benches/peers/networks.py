"""Measures training steps of many networks, in chainrule and in other frameworks, and prints a table in Markdown.

    venv/bin/python benches/peers/networks.py grid [--document docs/measurements.md]
    venv/bin/python benches/peers/networks.py nets [--document docs/measurements.md]

`grid` are dense networks of many shapes, beside PyTorch and JAX; `nets` convolutional and recurrent ones, beside PyTorch, with its usual
memory and with the channels last. The lists are `grid.json` and `nets.json`. Each network is trained by each framework in turn, in
a process of its own, on one thread and on all cores. Frameworks that are not installed are left out with a message. Run it on an idle
machine.
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
# The other frameworks of each list: their modules, and how they are used.
PEERS = {
    "grid": {"PyTorch": ("torch", "eager"), "JAX": ("jax", "scan")},
    "nets": {"PyTorch": ("torch", "eager"), "PyTorch, channels last": ("torch", "last"), "PyTorch, compiled": ("torch", "compiled")},
}
NEEDED = {"torch": ["torch"], "jax": ["jax", "optax"]}
# Multiplications of an epoch, the values that its samples may have, and how many steps it has at least and at most.
EFFORT, MAX_VALUES, STEPS = 1e10, 2**26, (4, 2000)
# The steps of an epoch of the other networks.
STEPS_OF_NET = 12


def dense(inputs, width, depth, batch, activation="relu", outputs=10):
    """A network of the grid, as the other list has its networks."""
    hidden = f"dense({width}) then {activation} then " * depth
    widths = [inputs, *[width] * depth, outputs]
    layers = [f"Linear({fan_in},{fan_out})" for fan_in, fan_out in zip(widths, widths[1:])]
    between = {"relu": ",ReLU(),", "tanh": ",Tanh(),"}[activation]
    shape = f"{inputs}-{width}" + (f"x{depth}" if depth > 1 else "") + f"-{outputs}"
    return {
        "name": shape if activation == "relu" else f"{shape} {activation}",
        "input": [inputs],
        "batch": batch,
        "layers": f"{hidden}dense({outputs})",
        "torch": f"Sequential({between.join(layers)})",
        "widths": widths,
        "activation": activation,
    }


def steps(network):
    """The number of steps of an epoch: about as much work for each network, as far as the samples fit into memory."""
    batch, widths = network["batch"], network.get("widths")
    if not widths:
        return STEPS_OF_NET
    work = 6 * batch * sum(fan_in * fan_out for fan_in, fan_out in zip(widths, widths[1:]))
    fitting = MAX_VALUES // (batch * widths[0])
    return int(min(max(min(EFFORT / work, fitting), STEPS[0]), STEPS[1]))


def run(framework, peers, network, threads):
    """The line that a program reports, or None."""
    common = ["--threads", str(threads), "--steps", str(steps(network)), "--batch", str(network["batch"])]
    shape = ",".join(map(str, network["input"]))
    if framework == "chainrule":
        command = ["cargo", "run", "-q", "--release", "-p", "chainrule-benches", "--bin", "network", "--",
                   *common, "--layers", network["layers"], shape]
    else:
        module, mode = peers[framework]
        if mode == "last" and len(network["input"]) < 3:
            return None  # it has no channels to put last
        what = ["--torch", network["torch"]] if module == "torch" else ["--activation", network["activation"], "--widths", *map(str, network["widths"])]
        command = [sys.executable, HERE / "train_network.py", "--framework", module, "--mode", mode, *common, shape,
                   "--outputs", str(network.get("widths", [10])[-1]), *what]
    # Variables set for another program must not choose the kernel of OpenBLAS.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=HERE.parents[1])
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        print(f"left out: {framework} {network['name']}: {last}", file=sys.stderr)
        return None
    line = json.loads(done.stdout.strip().splitlines()[-1])
    print(framework, threads, network["name"], network["batch"], line, file=sys.stderr, flush=True)
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
        cells = [f"{network['name']}, {network['batch']}"]
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
    parser.add_argument("work", choices=PEERS, help="the list of networks")
    parser.add_argument("only", nargs="*", help="measure only the networks whose name contains one of these words")
    parser.add_argument("--threads", nargs="+", type=int, default=sorted({1, os.cpu_count() or 1}))
    parser.add_argument("--rounds", type=int, default=1, help="how often each network is trained, in turn with the others")
    parser.add_argument("--document", type=Path, help="a document to write the table into, between its markers")
    chosen = parser.parse_args()
    peers = PEERS[chosen.work]
    installed = [name for name, (module, _) in peers.items() if all(map(importlib.util.find_spec, NEEDED[module]))]
    for name in peers.keys() - installed:
        print(f"left out: {name} is not installed", file=sys.stderr)
    frameworks = ["chainrule", *installed]
    networks = json.loads((HERE / f"{chosen.work}.json").read_text())
    if chosen.work == "grid":
        networks = [dense(**sizes) for sizes in networks]
    rows = []
    for network in networks:
        if chosen.only and not any(word in network["name"] for word in chosen.only):
            continue
        runs = {}
        for count in chosen.threads:
            for _ in range(chosen.rounds):
                for framework in frameworks:
                    line = run(framework, peers, network, count)
                    runs.setdefault((framework, count), []).extend([line] if line else [])
        rows.append((network, runs))
    text = "\n".join(table(rows, frameworks, chosen.threads))
    print(text)
    if chosen.document:
        write_between(chosen.document, chosen.work, text)


if __name__ == "__main__":
    main()
