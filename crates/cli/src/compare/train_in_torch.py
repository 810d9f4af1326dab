"""Trains a network of chainrule in PyTorch, from the same weights and on the same batches: `chainrule compare --with torch`.

    python train_in_torch.py FOLDER

In the folder are `network.py` and its weights, and what `common.py` names. It writes the weights after the training to
`trained.safetensors`.
"""

import importlib.util

import safetensors.torch
import torch
from common import CLASSES, FOLDER, SETTINGS, finish, samples, targets
from torch import nn

torch.set_num_threads(SETTINGS["threads"])
spec = importlib.util.spec_from_file_location("network", FOLDER / "network.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
net = module.load().train()
for part in net.modules():
    if isinstance(part, (nn.LSTM, nn.RNN)):
        # It adds two biases up, and would train both; there is one here.
        for name, parameter in part.named_parameters():
            parameter.requires_grad_(not name.startswith("bias_hh"))

x, y = torch.from_numpy(samples()), torch.from_numpy(targets())
y = y.long() if CLASSES else y
loss_of = nn.CrossEntropyLoss() if CLASSES else nn.MSELoss()
kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "rmsprop": torch.optim.RMSprop}
trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
optimizer = kind[SETTINGS["optimizer"]["name"]](trained, **SETTINGS["optimizer"]["settings"])


def step(index):
    optimizer.zero_grad()
    loss = loss_of(net(x[index]), y[index])
    loss.backward()
    optimizer.step()
    return loss.item()


losses = [step(index) for index in range(len(x))]
weights = {name: tensor.detach().clone().contiguous() for name, tensor in net.state_dict().items()}
safetensors.torch.save_file(weights, FOLDER / "trained.safetensors")
finish(torch.__version__, losses, step)
