"""Checks graphs and runs them in ONNX Runtime, for the test beside this script.

    pip install onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6

It is given a folder with a file `list` of the shapes of samples, and for each line `0.onnx`, samples in `0.x` and what a graph
shall compute in `0.y`. It prints the number of each and the largest difference, of all samples at once and of the first alone.
"""

import pathlib
import sys

import numpy
import onnx
import onnxruntime

folder, rows = pathlib.Path(sys.argv[1]), int(sys.argv[2])
options = onnxruntime.SessionOptions()
options.log_severity_level = 4
options.intra_op_num_threads = 1


def difference(index, shape):
    path = folder / f"{index}.onnx"
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    x = numpy.fromfile(folder / f"{index}.x", "<f4").reshape(rows, *shape)
    y = numpy.fromfile(folder / f"{index}.y", "<f4").reshape(rows, -1).astype(float)
    largest = 0.0
    for count in (rows, 1):
        (found,) = session.run(["output"], {"input": x[:count]})
        found = found.reshape(count, -1)
        relative = abs(found - y[:count]) / (1.0 + abs(y[:count]))
        largest = max(largest, float(relative.max(initial=0.0)))
        if not numpy.isfinite(found).all():
            return "a value is not finite"
    return largest


for index, line in enumerate((folder / "list").read_text().splitlines()):
    try:
        result = difference(index, [int(length) for length in line.split()])
    except Exception as error:  # noqa: BLE001
        result = " ".join(str(error).split())[:400]
    print(index, result, sep="\t")
