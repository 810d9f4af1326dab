"""Trains a network of chainrule in PyTorch, from the same weights and on the same batches: `chainrule compare --with torch`.

    python train_in_torch.py FOLDER

In the folder are `network.py` and its weights, the samples and targets as raw little-endian numbers, `x` and `y`, and `settings.json`. It
writes what it has found to `found.json`, and the weights after the training to `trained.safetensors`.
"""

import importlib.util
import json
import pathlib
import statistics
import sys
import time

import numpy
import safetensors.torch
import torch
from torch import nn

WARM_UP = 3

folder = pathlib.Path(sys.argv[1])
settings = json.loads((folder / "settings.json").read_text())
torch.set_num_threads(settings["threads"])
spec = importlib.util.spec_from_file_location("network", folder / "network.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
net = module.load().train()
for part in net.modules():
    if isinstance(part, (nn.LSTM, nn.RNN)):
        # It adds two biases up, and would train both; there is one here.
        for name, parameter in part.named_parameters():
            parameter.requires_grad_(not name.startswith("bias_hh"))

batch = settings["batch_size"]
x = torch.from_numpy(numpy.fromfile(folder / "x", dtype="<f4").reshape(-1, batch, *settings["input"]))
loss_of, classes = {
    "cross_entropy": (nn.CrossEntropyLoss(), True),
    "mean_squared_error": (nn.MSELoss(), False),
}[settings["loss"]]
if classes:
    y = torch.from_numpy(numpy.fromfile(folder / "y", dtype="u1").reshape(-1, batch).astype("int64"))
else:
    y = torch.from_numpy(numpy.fromfile(folder / "y", dtype="<f4").reshape(-1, batch, *settings["output"]))
kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "rmsprop": torch.optim.RMSprop}
trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
optimizer = kind[settings["optimizer"]["name"]](trained, **settings["optimizer"]["settings"])


def step(x, y):
    optimizer.zero_grad()
    loss = loss_of(net(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


losses = [step(samples, targets) for samples, targets in zip(x, y)]
weights = {name: tensor.detach().clone().contiguous() for name, tensor in net.state_dict().items()}
safetensors.torch.save_file(weights, folder / "trained.safetensors")
seconds = []
for index in range(WARM_UP + settings["timed"]):
    start = time.perf_counter()
    step(x[index % len(x)], y[index % len(y)])
    seconds.append(time.perf_counter() - start)
found = {
    "version": torch.__version__,
    "losses": losses,
    "seconds": statistics.median(seconds[WARM_UP:]),
}
(folder / "found.json").write_text(json.dumps(found))
