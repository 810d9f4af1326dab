"""The networks of the workloads in PyTorch, and the modules that others are put together from."""

import torch
from torch import nn


class Block(nn.Module):
    """A residual block of two convolutions, with a projection where the size changes."""

    def __init__(self, inputs, channels, stride):
        super().__init__()
        self.deep = nn.Sequential(convolution(inputs, channels, stride), nn.ReLU(), convolution(channels, channels, 1))
        self.short = nn.Identity() if stride == 1 else convolution(inputs, channels, stride, kernel=1)

    def forward(self, x):
        return nn.functional.relu(self.short(x) + self.deep(x))


class Last(nn.Module):
    """The last output of a recurrent layer."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)[0][:, -1]


class VisionTransformer(nn.Module):
    """Two encoder blocks over 16 patches of 7 by 7 pixels and a class token."""

    def __init__(self, width=64, heads=4, classes=10):
        super().__init__()
        self.embed = nn.Linear(49, width)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(0.02 * torch.randn(17, width))
        self.blocks = nn.Sequential(
            *(nn.TransformerEncoderLayer(width, heads, 2 * width, batch_first=True, norm_first=True) for _ in range(2))
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        patches = x.view(-1, 4, 7, 4, 7).transpose(2, 3).reshape(-1, 16, 49)
        steps = torch.cat([self.token.expand(len(x), -1, -1), self.embed(patches)], 1)
        return self.head(self.norm(self.blocks(steps + self.positions))[:, 0])


def convolution(inputs, channels, stride, kernel=3):
    layer = nn.Conv2d(inputs, channels, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(channels))


def of_images(network):
    """A workload's network for images of digits, and the shape of its samples; a number stands for dense layers of as many units."""
    if network == "lenet":
        return nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
        ), (1, 28, 28)
    if network == "lstm":
        return nn.Sequential(Last(nn.LSTM(28, 128, batch_first=True)), nn.Linear(128, 10)), (28, 28)
    if network == "transformer":
        return VisionTransformer(), (28, 28)
    if network == "resnet":
        return nn.Sequential(
            convolution(1, 16, 2), nn.ReLU(), Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
        ), (1, 28, 28)
    return nn.Sequential(
        nn.Linear(784, network), nn.ReLU(), nn.Linear(network, network), nn.ReLU(), nn.Linear(network, 10)
    ), (784,)
