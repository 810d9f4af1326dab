"""Writes reference.json: what other libraries make of the same parameters and gradients in 50 steps, in double precision.

Made with Python 3.11, torch 2.15.0, optax 0.2.8, jax 0.10.2, keras 3.15.1, schedulefree 1.4.1, pytorch_optimizer 4.1.0:

    KERAS_BACKEND=jax python reference.py

The parameters are a dense weight [6, 4], its bias, the kernels [3, 2, 2, 2] of a convolution, and a scale of 5 values, one after the
other. Weight decay and penalties act on the two weights only.
"""

import json
import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import optax.contrib
import pytorch_optimizer
import schedulefree
import torch

jax.config.update("jax_enable_x64", True)
torch.set_default_dtype(torch.float64)

SHAPES = {"0.weight": (6, 4), "0.bias": (4,), "1.weight": (3, 2, 2, 2), "2.scale": (5,)}
STEPS = 50
rng = np.random.default_rng(12)
SIZE = sum(int(np.prod(shape)) for shape in SHAPES.values())
PARAMS = np.round(rng.normal(size=SIZE) * 0.5, 6)
GRADS = np.round(rng.normal(size=(STEPS, SIZE)), 6)
LOSSES = np.round(rng.uniform(0.5, 3.0, size=STEPS), 6)


def split(flat):
    parts, start = {}, 0
    for name, shape in SHAPES.items():
        size = int(np.prod(shape))
        parts[name] = np.asarray(flat[start : start + size]).reshape(shape)
        start += size
    return parts


def join(parts):
    return np.concatenate([np.asarray(parts[name]).reshape(-1) for name in SHAPES])


WEIGHTS = {name: "weight" in name for name in SHAPES}
after = {}


def by_optax(name, optimizer, with_value=False):
    params = {key: jnp.asarray(value) for key, value in split(PARAMS).items()}
    state = optimizer.init(params)
    update = jax.jit(optimizer.update)
    for grads, value in zip(GRADS, LOSSES):
        grads = {key: jnp.asarray(value) for key, value in split(grads).items()}
        extra = {"value": value} if with_value else {}
        updates, state = update(grads, state, params, **extra)
        params = optax.apply_updates(params, updates)
    after[name] = join(params)


def by_torch(name, make, steps=STEPS, finish=lambda optimizer: None):
    params = {key: torch.nn.Parameter(torch.tensor(value)) for key, value in split(PARAMS).items()}
    groups = [
        {"params": [p for key, p in params.items() if WEIGHTS[key]]},
        {"params": [p for key, p in params.items() if not WEIGHTS[key]], "weight_decay": 0.0},
    ]
    optimizer = make(groups)
    for grads in GRADS[:steps]:
        for key, value in split(grads).items():
            params[key].grad = torch.tensor(value)
        optimizer.step()
    finish(optimizer)
    after[name] = join({key: p.detach().numpy() for key, p in params.items()})


def by_hand(name, step, start=None, average=None):
    params = {key: value.copy() for key, value in split(PARAMS).items()}
    memory = start(params) if start else None
    for index, grads in enumerate(GRADS):
        params = step(index, params, split(grads), memory)
    after[name] = join(average(params, memory) if average else params)


by_optax("lars", optax.lars(0.1, weight_decay=0.1, weight_decay_mask=WEIGHTS, trust_coefficient=0.02))
by_optax("lars, nesterov", optax.lars(0.1, nesterov=True, eps=1e-3, trust_coefficient=0.05))
by_optax("lamb", optax.lamb(0.01))
by_optax("lamb, settings", optax.lamb(0.01, b1=0.8, b2=0.99, eps=1e-3, weight_decay=0.1, mask=WEIGHTS))
by_optax("fromage", optax.fromage(0.02))
by_optax("novograd", optax.novograd(0.01, b1=0.8, b2=0.5, eps=1e-3))
by_optax("dog", optax.contrib.dog(1.0, weight_decay=0.1, mask=WEIGHTS))
by_optax("dowg", optax.contrib.dowg(1.0, weight_decay=0.1, mask=WEIGHTS))
by_optax("dadapt_adamw", optax.contrib.dadapt_adamw(1.0, estim_lr0=1e-3))
by_optax("prodigy", optax.contrib.prodigy(1.0, estim_lr0=1e-3))
by_optax("prodigy, settings", optax.contrib.prodigy(0.5, betas=(0.8, 0.99), beta3=0.9, estim_lr0=1e-2, estim_lr_coef=2.0, safeguard_warmup=True))
by_optax("cocob", optax.contrib.cocob(weight_decay=0.1, mask=WEIGHTS))
by_optax("mechanic", optax.contrib.mechanize(optax.adam(1e-2), s_init=1e-2))
by_optax("momo", optax.contrib.momo(0.1, weight_decay=0.1), with_value=True)
by_optax("polyak_sgd", optax.polyak_sgd(0.5, f_min=1.0, variant="sps+"), with_value=True)


def adaptive_clip(_, params, grads, memory):
    def clip(p, g):
        if p.ndim == 4:
            # optax has the units of kernels last.
            return clip(p.reshape(3, 8).T, g.reshape(3, 8).T).T.reshape(p.shape)
        clipped, _ = optax.adaptive_grad_clip(0.05).update({"g": jnp.asarray(g)}, None, {"g": jnp.asarray(p)})
        return np.asarray(clipped["g"])

    return {key: p - 0.1 * clip(p, grads[key]) for key, p in params.items()}


def clip_by_norm(_, params, grads, memory):
    clipped = keras.optimizers.SGD(clipnorm=1.5)._clip_gradients([jnp.asarray(grads[key]) for key in params])
    return {key: p - 0.1 * np.asarray(g) for (key, p), g in zip(params.items(), clipped)}


by_hand("adaptive_clip", adaptive_clip)
by_hand("clip_by_norm", clip_by_norm)


def constrained(constraint):
    # Keras' kernels have the units last.
    def apply(p):
        if p.ndim == 4:
            return apply(p.reshape(3, 8).T).T.reshape(p.shape)
        return np.asarray(constraint(jnp.asarray(p)))

    def step(_, params, grads, memory):
        new = {key: p - 0.1 * grads[key] for key, p in params.items()}
        return {key: apply(p) if WEIGHTS[key] else p for key, p in new.items()}

    return step


by_hand("max_norm", constrained(keras.constraints.MaxNorm(0.7, axis=0)))
by_hand("min_max_norm", constrained(keras.constraints.MinMaxNorm(0.5, 0.7, rate=0.8, axis=0)))
by_hand("unit_norm", constrained(keras.constraints.UnitNorm(axis=0)))
by_hand("non_neg", constrained(keras.constraints.NonNeg()))


def penalized(penalty, matrices=False):
    gradient = jax.grad(lambda p: penalty(p))

    def step(_, params, grads, memory):
        def of(key, p):
            wanted = p.ndim == 2 if matrices else WEIGHTS[key]
            return np.asarray(gradient(jnp.asarray(p))) if wanted else 0.0

        return {key: p - 0.1 * (grads[key] + of(key, p)) for key, p in params.items()}

    return step


by_hand("l1_l2", penalized(keras.regularizers.L1L2(0.03, 0.02)))
by_hand("orthogonal, rows", penalized(keras.regularizers.OrthogonalRegularizer(0.5, "rows"), True))
by_hand("orthogonal, columns", penalized(keras.regularizers.OrthogonalRegularizer(0.5, "columns"), True))

by_torch("adafactor", lambda groups: torch.optim.Adafactor(groups, lr=0.02))
by_torch("adafactor, settings", lambda groups: torch.optim.Adafactor(groups, lr=0.02, beta2_decay=-0.5, eps=(1e-3, 1e-2), d=1.5, weight_decay=0.1))


def muon(scale, nesterov):
    # torch's Muon in double precision, with its matrices [units, inputs]; AdamW for the others.
    def start(params):
        return {key: [np.zeros_like(p), np.zeros_like(p)] for key, p in params.items()}

    def step(index, params, grads, memory):
        new = {}
        for key, p in params.items():
            g, (m, v) = grads[key], memory[key]
            if not WEIGHTS[key]:
                m += 0.1 * (g - m)
                v += 0.001 * (g * g - v)
                t = index + 1
                new[key] = p - 0.02 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
                continue
            m += 0.05 * (g - m)
            u = g + 0.95 * (m - g) if nesterov else m
            matrix = torch.tensor(u.reshape(6, 4).T.copy() if key == "0.weight" else u.reshape(3, 8))
            x = matrix.T if matrix.size(0) > matrix.size(1) else matrix
            x = x / x.norm().clamp(min=1e-7)
            for _ in range(5):
                gram = x @ x.T
                x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=-4.775, alpha=2.0315), x, beta=3.4445)
            x = x.T if matrix.size(0) > matrix.size(1) else x
            rate = torch.optim._muon._adjust_lr(0.02, scale, matrix.shape)
            x = x.numpy()
            x = x.T if key == "0.weight" else x
            new[key] = p * (1 - 0.02 * 0.1) - rate * x.reshape(p.shape)
        return new

    return start, step


for name, scale, nesterov in [("muon", None, True), ("muon, settings", "match_rms_adamw", False)]:
    start, step = muon(scale, nesterov)
    by_hand(name, step, start)


def schedule_free(make):
    def finish(optimizer):
        optimizer.eval()

    def prepare(groups):
        optimizer = make(groups)
        optimizer.train()
        return optimizer

    return prepare, finish


for name, make in [
    ("schedule_free_adamw", lambda groups: schedulefree.AdamWScheduleFree(groups, lr=0.02, weight_decay=0.1, warmup_steps=10, foreach=False)),
    ("schedule_free_adamw, settings", lambda groups: schedulefree.AdamWScheduleFree(groups, lr=0.02, betas=(0.8, 0.99), eps=1e-3, r=1.0, weight_lr_power=1.0, foreach=False)),
    ("schedule_free_sgd", lambda groups: schedulefree.SGDScheduleFree(groups, lr=0.1, momentum=0.8, weight_decay=0.1, warmup_steps=5, foreach=False)),
]:
    make, finish = schedule_free(make)
    by_torch(name, make, finish=finish)


def averaged(name, fn):
    params = [torch.nn.Parameter(torch.tensor(value)) for value in split(PARAMS).values()]
    module = torch.nn.Module()
    for index, p in enumerate(params):
        module.register_parameter(f"p{index}", p)
    mean = torch.optim.swa_utils.AveragedModel(module, **fn)
    optimizer = torch.optim.SGD(params, lr=0.1)
    for grads in GRADS:
        for p, value in zip(params, split(grads).values()):
            p.grad = torch.tensor(value)
        optimizer.step()
        mean.update_parameters(module)
    values = [p.detach().numpy() for p in mean.module.parameters()]
    after[name] = np.concatenate([value.reshape(-1) for value in values])


averaged("ema", {"multi_avg_fn": torch.optim.swa_utils.get_ema_multi_avg_fn(0.9)})
averaged("swa", {})


def lookahead():
    optimizer = optax.lookahead(optax.sgd(0.1), sync_period=5, slow_step_size=0.3)
    params = optax.LookaheadParams.init_synced({key: jnp.asarray(value) for key, value in split(PARAMS).items()})
    state = optimizer.init(params)
    for grads in GRADS[:48]:
        updates, state = optimizer.update({key: jnp.asarray(value) for key, value in split(grads).items()}, state, params)
        params = optax.apply_updates(params, updates)
    after["lookahead, 48 steps"] = join(params.fast)
    after["lookahead, 48 steps, slow"] = join(params.slow)


lookahead()

# Functions of all parameters: a sum of Rosenbrock's over neighbours, divided by 100.
def valley(p):
    return ((p[1:] - p[:-1] ** 2) ** 2 + 0.01 * (1 - p[:-1]) ** 2).sum()


def minimized(name, steps, make, closure_style):
    params = torch.nn.Parameter(torch.tensor(PARAMS))
    optimizer = make([params])
    for _ in range(steps):
        def closure():
            optimizer.zero_grad()
            loss = valley(params)
            loss.backward()
            return loss

        if closure_style == "sam":
            closure()
            optimizer.step(closure)
        else:
            optimizer.step(closure)
    after[name] = params.detach().numpy()


def sam(adaptive):
    return lambda params: pytorch_optimizer.SAM(params, torch.optim.SGD, rho=0.1, adaptive=adaptive, lr=0.05, momentum=0.9)


minimized("sam", STEPS, sam(False), "sam")
minimized("sam, adaptive", STEPS, sam(True), "sam")
minimized("lbfgs, 1 step", 1, lambda params: torch.optim.LBFGS(params, max_iter=6, line_search_fn="strong_wolfe", history_size=4), "lbfgs")
minimized("lbfgs, 3 steps", 3, lambda params: torch.optim.LBFGS(params, max_iter=5, line_search_fn="strong_wolfe", history_size=3), "lbfgs")
minimized("lbfgs, fixed", 3, lambda params: torch.optim.LBFGS(params, lr=0.3, max_iter=4, history_size=5), "lbfgs")

result = {
    "params": PARAMS.tolist(),
    "grads": GRADS.tolist(),
    "losses": LOSSES.tolist(),
    "after": {name: np.asarray(values, dtype=np.float64).tolist() for name, values in after.items()},
}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "reference.json"), "w") as file:
    json.dump(result, file, separators=(",", ":"))
    file.write("\n")
