"""Reference values of a small network, from PyTorch.

    pip install torch==2.15.0 && python reference.py > reference.json

The network is 6 - 8 (tanh) - 7 (relu) - 5 (sigmoid) - 4, cross-entropy from logits over 9 samples. Weights
are written as [inputs, units], the transpose of PyTorch's, and parameters in the order weight, bias.
"""

import json

import torch
from torch import nn

SIZES = [6, 8, 7, 5, 4]
ROWS = 9


def network(dtype):
    torch.manual_seed(7)
    layers = []
    for inputs, units, act in zip(SIZES, SIZES[1:], [nn.Tanh, nn.ReLU, nn.Sigmoid, None]):
        layers.append(nn.Linear(inputs, units, dtype=torch.float64))
        if act:
            layers.append(act())
    return nn.Sequential(*layers).to(dtype)


def flat(tensors):
    out = []
    for t in tensors:
        out += (t.t() if t.dim() == 2 else t).reshape(-1).tolist()
    return out


def trained(dtype, x, t, make):
    net = network(dtype)
    opt = make(net.parameters())
    for _ in range(10):
        opt.zero_grad()
        nn.functional.cross_entropy(net(x), t).backward()
        opt.step()
    return flat(p.detach() for p in net.parameters())


def values(dtype):
    g = torch.Generator().manual_seed(3)
    x = torch.randn(ROWS, SIZES[0], generator=g, dtype=torch.float64).to(dtype)
    t = torch.randint(0, SIZES[-1], (ROWS,), generator=g)
    net = network(dtype)
    loss = nn.functional.cross_entropy(net(x), t)
    loss.backward()
    sgd = lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)
    nesterov = lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True)
    return {
        "x": x.reshape(-1).tolist(),
        "targets": t.tolist(),
        "parameters": flat(p.detach() for p in net.parameters()),
        "logits": net(x).detach().reshape(-1).tolist(),
        "loss": loss.item(),
        "gradients": flat(p.grad for p in net.parameters()),
        "sgd_momentum": trained(dtype, x, t, sgd),
        "sgd_nesterov": trained(dtype, x, t, nesterov),
        "adam": trained(dtype, x, t, lambda p: torch.optim.Adam(p, lr=1e-2)),
        "rmsprop": trained(dtype, x, t, lambda p: torch.optim.RMSprop(p, lr=1e-2)),
    }


print(json.dumps({"torch": torch.__version__, "f32": values(torch.float32), "f64": values(torch.float64)}))
