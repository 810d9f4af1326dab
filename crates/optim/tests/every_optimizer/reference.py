"""Reference values of optimizers and schedules, from PyTorch.

    pip install torch==2.15.0 && python reference.py > reference.json

Ten steps from the same parameters with the same gradients, in both precisions: the parameters after the last step. Nothing
but the optimizer is between the numbers, so they do not depend on a network.
"""

import json

import torch
from torch import optim
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

STEPS = 10
SIZE = 12

OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.1),
    "sgd, weight decay": lambda p: optim.SGD(p, lr=0.1, weight_decay=0.1),
    "sgd, momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    "sgd, dampening": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.1),
    "sgd, nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    "adam": lambda p: optim.Adam(p, lr=1e-2),
    "adam, settings": lambda p: optim.Adam(p, lr=1e-2, betas=(0.8, 0.99), eps=1e-3),
    "adam, coupled decay": lambda p: optim.Adam(p, lr=1e-2, weight_decay=0.1),
    "adamw": lambda p: optim.AdamW(p, lr=1e-2),
    "adamw, weight decay": lambda p: optim.AdamW(p, lr=1e-2, weight_decay=0.5),
    "rmsprop": lambda p: optim.RMSprop(p, lr=1e-2),
    "rmsprop, momentum": lambda p: optim.RMSprop(p, lr=1e-2, alpha=0.9, eps=1e-3, momentum=0.5),
    "rmsprop, centered": lambda p: optim.RMSprop(p, lr=1e-2, centered=True),
    "rmsprop, centered, momentum": lambda p: optim.RMSprop(p, lr=1e-2, centered=True, momentum=0.5),
}
CLIPPINGS = {
    "sgd, clipped norm": lambda p: clip_grad_norm_(p, 1.0),
    "sgd, clipped values": lambda p: clip_grad_value_(p, 0.25),
}
SCHEDULES = {
    "sgd, cosine": lambda o: optim.lr_scheduler.CosineAnnealingLR(o, T_max=STEPS, eta_min=0.01),
    "sgd, steps": lambda o: optim.lr_scheduler.StepLR(o, step_size=3, gamma=0.5),
}


def trained(params, grads, make, clip=None, schedule=None):
    p = params.clone().requires_grad_()
    optimizer = make([p])
    scheduler = schedule(optimizer) if schedule else None
    for g in grads:
        p.grad = g.clone()
        if clip:
            clip([p])
        optimizer.step()
        if scheduler:
            scheduler.step()
    return p.detach().tolist()


def values(dtype):
    generator = torch.Generator().manual_seed(5)
    params = torch.randn(SIZE, generator=generator, dtype=torch.float64).to(dtype)
    grads = torch.randn(STEPS, SIZE, generator=generator, dtype=torch.float64).to(dtype)
    grads[:, 3] = 0.0
    after = {name: trained(params, grads, make) for name, make in OPTIMIZERS.items()}
    after |= {name: trained(params, grads, OPTIMIZERS["sgd"], clip=clip) for name, clip in CLIPPINGS.items()}
    after |= {name: trained(params, grads, OPTIMIZERS["sgd"], schedule=s) for name, s in SCHEDULES.items()}
    return {"params": params.tolist(), "grads": grads.tolist(), "after": after}


print(json.dumps({"torch": torch.__version__, "f32": values(torch.float32), "f64": values(torch.float64)}))
