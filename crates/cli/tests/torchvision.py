"""Networks with the names of torchvision's modules, for the test beside this script.

    python torchvision.py write FOLDER
    python torchvision.py check FOLDER

`write` saves for each network its weights, `NAME.pt`, samples, `NAME.x`, and what it predicts, `NAME.y`. `check` loads the weights
`NAME.safetensors`, all of them, and prints how far its predictions are from those in `NAME.trained`.
"""

import pathlib
import sys

import numpy
import torch
from safetensors.torch import load_file
from torch import nn


class LeNet(nn.Module):
    """As in PyTorch's tutorial."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(256, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x):
        x = nn.functional.max_pool2d(self.conv1(x).relu(), 2)
        x = nn.functional.max_pool2d(self.conv2(x).relu(), 2).flatten(1)
        return self.fc3(self.fc2(self.fc1(x).relu()).relu())


class BasicBlock(nn.Module):
    """torchvision.models.resnet.BasicBlock."""

    def __init__(self, inplanes, planes, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inplanes, planes, 3, stride, 1, bias=False), nn.BatchNorm2d(planes)
        self.conv2, self.bn2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False), nn.BatchNorm2d(planes)
        self.downsample = None
        if stride != 1:
            self.downsample = nn.Sequential(nn.Conv2d(inplanes, planes, 1, stride, bias=False), nn.BatchNorm2d(planes))

    def forward(self, x):
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (y + (x if self.downsample is None else self.downsample(x))).relu()


class ResNet(nn.Module):
    """torchvision.models.resnet.ResNet, with two stages of two blocks each, of few channels."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(BasicBlock(8, 8, 1), BasicBlock(8, 8, 1))
        self.layer2 = nn.Sequential(BasicBlock(8, 16, 2), BasicBlock(16, 16, 1))
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(16, 10)

    def forward(self, x):
        x = self.maxpool(self.bn1(self.conv1(x)).relu())
        return self.fc(self.avgpool(self.layer2(self.layer1(x))).flatten(1))


torch.manual_seed(1)
work, folder = sys.argv[1], pathlib.Path(sys.argv[2])
for name, net, shape in [("lenet", LeNet(), (1, 28, 28)), ("resnet", ResNet(), (3, 32, 32))]:
    with torch.no_grad():
        if work == "write":
            # Statistics as after a training.
            x = torch.randn(64, *shape)
            net.train()(x)
            torch.save(net.state_dict(), folder / f"{name}.pt")
            x.numpy().tofile(folder / f"{name}.x")
            net.eval()(x).numpy().tofile(folder / f"{name}.y")
        else:
            net.load_state_dict(load_file(folder / f"{name}.safetensors"), strict=False)
            missing = {*net.state_dict()} ^ {*load_file(folder / f"{name}.safetensors")}
            assert all(name.endswith("num_batches_tracked") for name in missing), missing
            x = torch.from_numpy(numpy.fromfile(folder / f"{name}.x", dtype="f4").reshape(-1, *shape))
            y = torch.from_numpy(numpy.fromfile(folder / f"{name}.trained", dtype="f4").reshape(len(x), -1))
            print(name, (net.eval()(x) - y).abs().max().item())
