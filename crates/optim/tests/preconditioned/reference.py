"""Writes reference.json: what Shampoo and SOAP make of the same parameters and gradients in 50 steps, in double precision.

Made with Python 3.11, numpy 2.4.6, torch 2.15.0, pytorch_optimizer 4.1.0:

    python reference.py

The parameters are a weight [5, 5], a bias of 4 values, the kernels [3, 2, 2, 2] of a convolution and a scale of 4 values, one after the
other. The products of the first gradient of each have full rank, so that SOAP's first basis is unique but for signs, which cancel.
Where pytorch_optimizer has a setting, the values are its; the others are written down here in numpy.
"""

import json
import os
import types
from unittest import mock

import numpy as np
import pytorch_optimizer
import torch
from pytorch_optimizer.optimizer import soap as soap_module

torch.set_default_dtype(torch.float64)

SHAPES = {"0.weight": (5, 5), "0.bias": (4,), "1.weight": (3, 2, 2, 2), "2.scale": (4,)}
STEPS = 50
rng = np.random.default_rng(5)
SIZE = sum(int(np.prod(shape)) for shape in SHAPES.values())
PARAMS = np.round(rng.normal(size=SIZE) * 0.5, 6)
GRADS = np.round(rng.normal(size=(STEPS, SIZE)), 6)
after = {}


def split(flat):
    parts, start = {}, 0
    for name, shape in SHAPES.items():
        size = int(np.prod(shape))
        parts[name] = np.asarray(flat[start : start + size]).reshape(shape)
        start += size
    return parts


def join(parts):
    return np.concatenate([np.asarray(parts[name]).reshape(-1) for name in SHAPES])


def by_torch(name, make):
    params = {key: torch.nn.Parameter(torch.tensor(value)) for key, value in split(PARAMS).items()}
    groups = [
        {"params": [p for key, p in params.items() if "weight" in key]},
        {"params": [p for key, p in params.items() if "weight" not in key], "weight_decay": 0.0},
    ]
    optimizer = make(groups)
    for grads in GRADS:
        for key, value in split(grads).items():
            params[key].grad = torch.tensor(value)
        optimizer.step()
    after[name] = join({key: p.detach().numpy() for key, p in params.items()})


def by_shampoo(name, **settings):
    by_torch(name, lambda groups: pytorch_optimizer.Shampoo(groups, weight_decouple=True, **settings))


def by_soap(name, **settings):
    # It computes its QR decompositions in single precision.
    double = types.SimpleNamespace(**{**vars(torch), "float32": torch.float64})
    with mock.patch.object(soap_module, "torch", double):
        by_torch(name, lambda groups: pytorch_optimizer.SOAP(groups, **settings))


def by_hand(name, rate, every, eps=1e-6, beta=1.0, momentum=0.0, graft=None, largest=1024):
    new = 1.0 if beta == 1.0 else 1.0 - beta
    params = split(PARAMS)
    for key in params:
        p = params[key].copy()
        axes = [axis for axis, size in enumerate(p.shape) if size <= largest]
        sums = {axis: np.zeros((p.shape[axis],) * 2) for axis in axes}
        roots = {axis: np.eye(p.shape[axis]) for axis in axes}
        m, v = np.zeros_like(p), np.zeros_like(p)
        for step, grads in enumerate(GRADS, 1):
            g = split(grads)[key]
            correction = 1.0 if beta == 1.0 else 1.0 - beta**step
            v = beta * v + new * g * g
            d = g
            for axis in axes:
                rows = np.moveaxis(g, axis, 0).reshape(p.shape[axis], -1)
                sums[axis] = beta * sums[axis] + new * rows @ rows.T
                if step <= every or step % every == 0:
                    values, vectors = np.linalg.eigh(sums[axis] / correction + eps * np.eye(p.shape[axis]))
                    roots[axis] = vectors @ np.diag(values ** (-1 / (2 * len(axes)))) @ vectors.T
                d = np.moveaxis(np.tensordot(roots[axis], d, axes=(1, axis)), 0, axis)
            if graft == "adagrad":
                d = d * np.linalg.norm(g / (np.sqrt(v / correction) + 1e-10)) / np.linalg.norm(d)
            m = momentum * m + d
            p = p - rate * m
        params[key] = p
    after[name] = join(params)


by_shampoo("shampoo", lr=0.1)
by_shampoo("shampoo, settings", lr=0.05, matrix_eps=0.1, weight_decay=0.2)
# It does not correct means for their beginning, which cancels where the length of the step comes from the gradient.
by_torch(
    "shampoo, grafted",
    lambda groups: pytorch_optimizer.ScalableShampoo(
        groups,
        lr=0.02,
        betas=(0.9, 0.8),
        weight_decay=0.1,
        decoupled_weight_decay=True,
        start_preconditioning_step=1,
        preconditioning_compute_steps=1,
        block_size=100,
        no_preconditioning_for_layers_with_dim_gt=3,
        shape_interpretation=False,
        matrix_eps=1e-15,
        use_svd=True,
    ),
)
by_hand("shampoo, every 7", 0.05, every=7, eps=1e-3)
by_hand("shampoo, means", 0.05, every=3, eps=1e-2, beta=0.9, momentum=0.8)
by_hand("shampoo, grafted means", 0.05, every=4, beta=0.9, graft="adagrad")
by_hand("shampoo, grafted sums", 0.05, every=1, momentum=0.5, graft="adagrad")
by_hand("shampoo, limited", 0.05, every=2, largest=3)
by_soap("soap", lr=0.01)
by_soap("soap, settings", lr=0.02, betas=(0.8, 0.9), shampoo_beta=0.7, eps=1e-3, weight_decay=0.1, precondition_frequency=3, correct_bias=False)
by_soap("soap, every 1", lr=0.02, precondition_frequency=1)
by_soap("soap, limited", lr=0.02, precondition_frequency=4, max_precondition_dim=3)
by_soap("soap, normalized", lr=0.02, eps=1e-4, normalize_gradient=True)

result = {
    "params": PARAMS.tolist(),
    "grads": GRADS.tolist(),
    "after": {name: np.asarray(values, dtype=np.float64).tolist() for name, values in after.items()},
}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "reference.json"), "w") as file:
    json.dump(result, file, separators=(",", ":"))
    file.write("\n")
