"""Runs the files of PyTorch code in a folder, and compares what they compute with what chainrule does.

    pip install torch==2.15.0 safetensors==0.8.0 numpy==2.4.6
    python torch_code.py FOLDER

The test `the_code_of_pytorch_computes_the_same` writes the folder: `N.py` and `N.safetensors`, and the samples and predictions as raw
numbers in single precision, `N.x` and `N.y`. For each file it prints the largest difference, relative to the value or to 1.
"""

import importlib.util
import json
import pathlib
import sys

import numpy
import torch

folder = pathlib.Path(sys.argv[1])
for case in json.loads((folder / "cases.json").read_text()):
    name = case["name"]
    spec = importlib.util.spec_from_file_location(f"case_{name}", folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        x = numpy.fromfile(folder / f"{name}.x", dtype="<f4").reshape(-1, *case["input"])
        with torch.no_grad():
            found = module.load()(torch.from_numpy(x)).numpy()
        expected = numpy.fromfile(folder / f"{name}.y", dtype="<f4").reshape(-1, *case["output"])
        assert found.shape == expected.shape, f"{found.shape} instead of {expected.shape}"
        difference = numpy.max(numpy.abs(found - expected) / numpy.maximum(numpy.abs(expected), 1))
        print(name, difference)
    except Exception as error:  # Each problem is one line, and all are shown.
        print(name, "nan", type(error).__name__, str(error).replace("\n", " "))
