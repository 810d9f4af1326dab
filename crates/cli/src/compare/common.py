"""What the scripts of `chainrule compare` have in common: the folder, samples and targets, refusals, and times.

In the folder, the argument of each script, are the samples and targets as raw little-endian numbers, `x` and `y`, and `settings.json`.
A script writes what it has found to `found.json`, or why it cannot to `refused`.
"""

import json
import pathlib
import statistics
import sys
import time

import numpy

WARM_UP = 3

FOLDER = pathlib.Path(sys.argv[1])
SETTINGS = json.loads((FOLDER / "settings.json").read_text())
CLASSES = SETTINGS["loss"] == "cross_entropy"


def samples():
    """A batch for each step."""
    return numpy.fromfile(FOLDER / "x", dtype="<f4").reshape(-1, SETTINGS["batch_size"], *SETTINGS["input"])


def targets():
    """Those of each batch: classes, or values."""
    if CLASSES:
        return numpy.fromfile(FOLDER / "y", dtype="u1").reshape(-1, SETTINGS["batch_size"])
    return numpy.fromfile(FOLDER / "y", dtype="<f4").reshape(-1, SETTINGS["batch_size"], *SETTINGS["output"])


# The settings whose values are descriptions: one without settings of its own is its name alone.
DESCRIBED = {"layer", "layers", "branches", "merge", "activation", "attention"}


def described(value, is_description=True):
    """The network with every description as a dictionary."""
    if isinstance(value, list):
        return [described(item, is_description) for item in value]
    if isinstance(value, dict):
        return {key: described(item, key in DESCRIBED) for key, item in value.items()}
    return {"name": value} if is_description and isinstance(value, str) else value


def network():
    return described(SETTINGS["network"])


def refuse(path, layer, reason):
    """Ends the training, since this layer is not the same here."""
    (FOLDER / "refused").write_text(f"layer {path}, {layer['name']}: {reason}")
    raise SystemExit(3)


def unless(path, layer, **needed):
    """Refuses a layer with other settings than these."""
    for setting, value in needed.items():
        if layer[setting] != value:
            refuse(path, layer, f"its setting {setting} is {json.dumps(layer[setting])}")


def joined(path, name):
    return f"{path}.{name}" if path else str(name)


def counts(value, axes):
    """A number for each axis."""
    return list(value) if isinstance(value, list) else [value] * axes


def sides(value, axes):
    """The numbers before and after each axis."""
    return [tuple(side) if isinstance(side, list) else (side, side) for side in counts(value, axes)]


def graph(layer, path, x, run, merge):
    """The outputs of a graph: `run` is given a layer, its path and its input, `merge` a merge and its inputs."""
    if len(layer["inputs"]) > 1 or len(layer["outputs"]) > 1:
        refuse(path, layer, "it has several inputs or outputs")
    values = {layer["inputs"][0]["id"] if layer["inputs"] else "input": x}
    nodes = {node["id"]: node for node in layer["nodes"]}
    for name, node in nodes.items():
        of = node.get("of") or name
        owner = nodes[of]
        inputs = [values[input] for input in node.get("inputs") or [node["input"]]]
        if owner.get("merge"):
            values[name] = merge(owner["merge"], joined(path, of), inputs)
        else:
            values[name] = run(owner["layer"], joined(path, of), inputs[0])
    return values[layer["outputs"][0]]


def finish(version, losses, step):
    """Writes the losses, and how long a step takes; `step` is given the number of a batch."""
    seconds = []
    for index in range(WARM_UP + SETTINGS["timed"]):
        start = time.perf_counter()
        step(index % len(losses))
        seconds.append(time.perf_counter() - start)
    found = {"version": version, "losses": losses, "seconds": statistics.median(seconds[WARM_UP:])}
    (FOLDER / "found.json").write_text(json.dumps(found))
