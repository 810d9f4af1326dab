"""Reference values of optimizers: from PyTorch where it has them, else from Keras, else from optax, else from pytorch_optimizer.

    pip install torch==2.15.0 keras==3.15.1 jax==0.10.2 optax==0.2.8 pytorch-optimizer==4.1.0
    python reference.py > reference.json

Fifty steps from the same parameters with the same gradients, in double precision: the parameters after the last step. Nothing but the
optimizer is between the numbers, so they do not depend on a network. Parameters and gradients are numbers of single precision, so the
values are right for both precisions.
"""

import importlib.metadata
import json
import os

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_ENABLE_X64"] = "1"


import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytorch_optimizer
import torch
from keras import optimizers as ko
from optax import contrib
from torch import optim
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

keras.config.set_floatx("float64")
torch.set_default_dtype(torch.float64)

STEPS = 50
SIZE = 12
# The gradients of each parameter are normal numbers of this scale.
SCALES = [1.0, 1.0, 1.0, 0.0, 1e-3, 0.03, 10.0, 100.0, 1.0, 1.0, 1.0, 1.0]

TORCH = {
    "sgd": lambda p: optim.SGD(p, lr=0.01),
    "sgd, weight decay": lambda p: optim.SGD(p, lr=0.01, weight_decay=0.1),
    "sgd, momentum": lambda p: optim.SGD(p, lr=0.01, momentum=0.9),
    "sgd, dampening": lambda p: optim.SGD(p, lr=0.01, momentum=0.9, dampening=0.3, weight_decay=0.1),
    "sgd, nesterov": lambda p: optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True, weight_decay=0.1),
    "adam": lambda p: optim.Adam(p, lr=1e-2),
    "adam, settings": lambda p: optim.Adam(p, lr=1e-2, betas=(0.8, 0.99), eps=1e-3),
    "adam, coupled decay": lambda p: optim.Adam(p, lr=1e-2, weight_decay=0.1),
    "adam, decay before it": lambda p: optim.Adam(p, lr=1e-2, weight_decay=0.1),
    "adam, amsgrad": lambda p: optim.Adam(p, lr=1e-2, betas=(0.9, 0.9), amsgrad=True),
    "adamw, amsgrad": lambda p: optim.AdamW(p, lr=1e-2, betas=(0.9, 0.9), weight_decay=0.5, amsgrad=True),
    "rmsprop, coupled decay": lambda p: optim.RMSprop(p, lr=1e-2, weight_decay=0.1),
    "adamw": lambda p: optim.AdamW(p, lr=1e-2),
    "adamw, weight decay": lambda p: optim.AdamW(p, lr=1e-2, weight_decay=0.5),
    "rmsprop": lambda p: optim.RMSprop(p, lr=1e-2),
    "rmsprop, momentum": lambda p: optim.RMSprop(p, lr=1e-2, alpha=0.9, eps=1e-3, momentum=0.5),
    "rmsprop, centered": lambda p: optim.RMSprop(p, lr=1e-2, centered=True),
    "rmsprop, centered, momentum": lambda p: optim.RMSprop(p, lr=1e-2, centered=True, momentum=0.5),
    "adadelta": lambda p: optim.Adadelta(p),
    "adadelta, settings": lambda p: optim.Adadelta(p, lr=0.5, rho=0.8, eps=1e-3, weight_decay=0.1),
    "adagrad": lambda p: optim.Adagrad(p),
    "adagrad, settings": lambda p: optim.Adagrad(
        p, lr=0.1, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.5, eps=1e-3
    ),
    "adamax": lambda p: optim.Adamax(p),
    "adamax, settings": lambda p: optim.Adamax(p, lr=0.01, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1),
    "amsgrad": lambda p: optim.Adam(p, lr=1e-2, betas=(0.9, 0.9), amsgrad=True),
    "amsgrad, coupled decay": lambda p: optim.Adam(p, lr=1e-2, betas=(0.8, 0.7), eps=1e-3, weight_decay=0.1, amsgrad=True),
    "amsgrad, decoupled decay": lambda p: optim.AdamW(p, lr=1e-2, betas=(0.9, 0.9), weight_decay=0.5, amsgrad=True),
    "asgd": lambda p: optim.ASGD(p),
    "asgd, settings": lambda p: optim.ASGD(p, lr=0.05, lambd=0.1, alpha=0.6, t0=5, weight_decay=0.1),
    "nadam": lambda p: optim.NAdam(p),
    "nadam, coupled decay": lambda p: optim.NAdam(p, lr=0.01, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1, momentum_decay=0.3),
    "nadam, decoupled decay": lambda p: optim.NAdam(p, lr=0.01, weight_decay=0.5, decoupled_weight_decay=True),
    "radam": lambda p: optim.RAdam(p, lr=0.01),
    "radam, coupled decay": lambda p: optim.RAdam(p, lr=0.01, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1),
    "radam, decoupled decay": lambda p: optim.RAdam(p, lr=0.01, weight_decay=0.5, decoupled_weight_decay=True),
    "rprop": lambda p: optim.Rprop(p),
    "rprop, settings": lambda p: optim.Rprop(p, lr=0.1, etas=(0.4, 1.5), step_sizes=(0.01, 0.2)),
    # Only this one multiplies differences by what the authors do.
    "adan": lambda p: pytorch_optimizer.Adan(p, lr=0.01, foreach=False),
    "adan, settings": lambda p: pytorch_optimizer.Adan(
        p, lr=0.01, betas=(0.9, 0.8, 0.95), eps=1e-3, weight_decay=0.5, foreach=False
    ),
    # optax takes a root in single precision.
    "madgrad": lambda p: pytorch_optimizer.MADGRAD(p, lr=0.01, foreach=False),
    "madgrad, settings": lambda p: pytorch_optimizer.MADGRAD(
        p, lr=0.001, momentum=0.5, weight_decay=0.1, eps=1e-3, foreach=False
    ),
    "ademamix, warm-up": lambda p: pytorch_optimizer.AdEMAMix(
        p, lr=0.01, betas=(0.9, 0.99, 0.999), alpha=4.0, t_alpha_beta3=30.0, weight_decay=0.5, weight_decouple=True
    ),
}
CLIPPINGS = {
    "sgd, clipped norm": lambda p: clip_grad_norm_(p, 1.0),
    "sgd, clipped values": lambda p: clip_grad_value_(p, 0.25),
}
SCHEDULES = {
    "sgd, cosine": (TORCH["sgd"], lambda o: optim.lr_scheduler.CosineAnnealingLR(o, T_max=STEPS, eta_min=0.001)),
    "sgd, steps": (TORCH["sgd"], lambda o: optim.lr_scheduler.StepLR(o, step_size=3, gamma=0.5)),
    "sgd, momentum, exponential": (
        TORCH["sgd, momentum"],
        lambda o: optim.lr_scheduler.ExponentialLR(o, gamma=0.9),
    ),
}
KERAS = {
    "sgd, keras": lambda: ko.SGD(exponential(), momentum=0.9),
    "sgd, nesterov, keras": lambda: ko.SGD(exponential(), momentum=0.9, nesterov=True),
    "adam, keras": lambda: ko.Adam(0.01),
    "adamw, keras": lambda: ko.AdamW(0.01),
    "rmsprop, keras": lambda: ko.RMSprop(0.01),
    "rmsprop, momentum, keras": lambda: ko.RMSprop(exponential(), momentum=0.5),
    "rmsprop, centered, keras": lambda: ko.RMSprop(0.01, centered=True, epsilon=0.1),
    "adadelta, keras": lambda: ko.Adadelta(),
    "adagrad, keras": lambda: ko.Adagrad(),
    "adamax, keras": lambda: ko.Adamax(),
    "amsgrad, keras": lambda: ko.Adam(0.01, beta_2=0.9, amsgrad=True),
    "nadam, keras": lambda: ko.Nadam(),
    "lion": lambda: ko.Lion(),
    "lion, settings": lambda: ko.Lion(0.01, beta_1=0.5, beta_2=0.8, weight_decay=0.5),
    "ftrl": lambda: ko.Ftrl(),
    "ftrl, settings": lambda: ko.Ftrl(
        0.1,
        initial_accumulator_value=0.5,
        l1_regularization_strength=0.3,
        l2_regularization_strength=0.2,
        l2_shrinkage_regularization_strength=0.1,
        beta=0.7,
    ),
    "ftrl, power": lambda: ko.Ftrl(0.1, learning_rate_power=-0.3),
}
OPTAX = {
    "adamaxw": lambda: optax.adamaxw(0.002),
    "adamaxw, settings": lambda: optax.adamaxw(0.01, b1=0.8, b2=0.9, eps=1e-3, weight_decay=0.5),
    "adabelief": lambda: optax.adabelief(0.001),
    "adabelief, settings": lambda: optax.chain(
        optax.scale_by_belief(b1=0.8, b2=0.9, eps=1e-3, eps_root=1e-4),
        optax.add_decayed_weights(0.5),
        optax.scale_by_learning_rate(0.01),
    ),
    "nadamw": lambda: optax.nadamw(0.002),
    "nadamw, settings": lambda: optax.nadamw(0.01, b1=0.8, b2=0.9, eps=1e-3, weight_decay=0.5),
    "sign_sgd": lambda: optax.sign_sgd(0.001),
    "signum": lambda: optax.signum(0.001),
    "signum, settings": lambda: optax.chain(optax.signum(0.01, beta=0.5)),
    "yogi": lambda: optax.yogi(0.01),
    "yogi, settings": lambda: optax.yogi(0.1, b1=0.8, b2=0.9, eps=0.1),
    "optimistic_gradient_descent": lambda: optax.optimistic_gradient_descent(0.01),
    "optimistic_gradient_descent, settings": lambda: optax.optimistic_gradient_descent(0.01, alpha=0.5, beta=0.3),
    "optimistic_adam": lambda: optax.optimistic_adam_v2(0.001),
    "optimistic_adam, settings": lambda: optax.optimistic_adam_v2(
        0.01, alpha=0.5, beta=0.3, b1=0.8, b2=0.9, eps=1e-3, nesterov=False
    ),
    "ademamix": lambda: contrib.ademamix(0.001),
    "ademamix, settings": lambda: contrib.ademamix(0.01, b1=0.8, b2=0.9, b3=0.95, alpha=3.0, eps=1e-3, weight_decay=0.5),
    "acprop": lambda: contrib.acprop(0.001),
    "acprop, settings": lambda: contrib.acprop(0.01, b1=0.8, b2=0.9, eps=1e-3, eps_root=1e-4, weight_decay=0.5),
    "simplified_ademamix": lambda: contrib.simplified_ademamix(1e-5),
    "simplified_ademamix, settings": lambda: contrib.simplified_ademamix(
        0.001, b1=0.9, b2=0.9, alpha=3.0, eps=1e-3, weight_decay=0.5
    ),
    "adopt": lambda: contrib.adopt(0.001),
    "adopt, settings": lambda: contrib.adopt(0.01, b1=0.8, b2=0.9, eps=0.1),
}
# Of parameters with a shape.
SHAPED = {
    "sm3, vector": ((12,), lambda: optax.sm3(0.1)),
    "sm3, matrix": ((3, 4), lambda: optax.sm3(0.1, momentum=0.5)),
    "sm3, three axes": ((2, 3, 2), lambda: optax.sm3(0.1)),
}
# Of the sum of g p + h p² / 2 over the parameters, with these h.
CURVATURES = [2.0, 1.0, 0.5, 0.25, 0.1, 0.0, -0.1, -0.5, 3.0, 1.0, 1.0, 1.0]
CURVED = {
    "sophia": lambda: contrib.sophia(0.01),
    "sophia, settings": lambda: contrib.sophia(
        0.1, b1=0.8, b2=0.9, eps=1e-3, weight_decay=0.5, gamma=0.3, clip_threshold=0.7, update_interval=7
    ),
}


def exponential():
    return ko.schedules.ExponentialDecay(0.01, decay_steps=10, decay_rate=0.5)


def by_torch(params, grads, make, clip=None, schedule=None):
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


def by_keras(params, grads, make):
    p = keras.Variable(params.numpy(), dtype="float64")
    optimizer = make()
    optimizer.build([p])
    for g in grads:
        optimizer.apply([jnp.asarray(g.numpy())], [p])
    return p.numpy().tolist()


def by_optax(params, grads, make):
    p = jnp.asarray(params.numpy())
    optimizer = make()
    state = optimizer.init(p)
    for g in grads:
        updates, state = optimizer.update(jnp.asarray(g.numpy()), state, p)
        p = optax.apply_updates(p, updates)
    return p.tolist()


def with_shape(params, grads, shape, make):
    return np.ravel(by_optax(params.reshape(shape), grads.reshape(STEPS, *shape), make)).tolist()


def with_curvature(params, grads, make):
    p, h = jnp.asarray(params.numpy()), jnp.asarray(CURVATURES)
    optimizer = make()
    state = optimizer.init(p)
    for g in grads:
        objective = lambda p, g=jnp.asarray(g.numpy()): jnp.sum(g * p + h * p**2 / 2)
        updates, state = optimizer.update(jax.grad(objective)(p), state, p, obj_fn=objective)
        p = optax.apply_updates(p, updates)
    return p.tolist()


generator = torch.Generator().manual_seed(5)
params = torch.randn(SIZE, generator=generator)
grads = torch.randn(STEPS, SIZE, generator=generator) * torch.tensor(SCALES)
grads[:, 9] = 0.5  # steady
grads[torch.arange(STEPS) % 5 != 0, 10] = 0.0  # rare
grads[:, 11] += 1.0  # mostly of one sign
params, grads = params.float().double(), grads.float().double()

after = {name: by_torch(params, grads, make) for name, make in TORCH.items()}
after |= {name: by_torch(params, grads, TORCH["sgd"], clip=clip) for name, clip in CLIPPINGS.items()}
after |= {name: by_torch(params, grads, make, schedule=schedule) for name, (make, schedule) in SCHEDULES.items()}
after |= {name: by_keras(params, grads, make) for name, make in KERAS.items()}
after |= {name: by_optax(params, grads, make) for name, make in OPTAX.items()}
shaped = {name: with_shape(params, grads, *case) for name, case in SHAPED.items()}
curved = {name: with_curvature(params, grads, make) for name, make in CURVED.items()}
names = ("torch", "keras", "jax", "optax", "pytorch_optimizer")
versions = {name: importlib.metadata.version(name) for name in names}
values = {"versions": versions, "params": params.tolist(), "grads": grads.tolist(), "curvatures": CURVATURES}
print(json.dumps(values | {"after": after, "shaped": shaped, "curved": curved}))
