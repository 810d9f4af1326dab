"""Trains one dense network in PyTorch or in JAX on random samples, and prints the time of a step as a line of JSON.

`grid.py` calls it; the options are those of the program `grid` of chainrule. PyTorch runs eagerly with the fused Adam, JAX compiles an
epoch as one `scan`.
"""

import argparse
import json
import os
import resource
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--framework", choices=["torch", "jax"], required=True)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--steps", type=int, default=100)
parser.add_argument("--activation", choices=["relu", "tanh"], default="relu")
parser.add_argument("--outputs", type=int, default=10, help="one for each class; 1 stands for two classes")
parser.add_argument("sizes", type=int, nargs=4, metavar="SIZE", help="inputs, units of a hidden layer, hidden layers, batch")
chosen = parser.parse_args()
inputs, width, depth, batch = chosen.sizes
for library in "OMP", "OPENBLAS", "MKL":
    os.environ[f"{library}_NUM_THREADS"] = str(chosen.threads)
os.environ["NPROC"] = str(chosen.threads)
os.environ["JAX_PLATFORMS"] = "cpu"
if chosen.threads == 1:
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import numpy  # noqa: E402

EPOCHS = 4
RATE = 1e-4
random = numpy.random.default_rng(0)
count = chosen.steps * batch
bound = numpy.float32(3**0.5)
x = random.random((count, inputs), dtype=numpy.float32)
x *= 2 * bound
x -= bound
classes = max(chosen.outputs, 2)
y = numpy.clip(classes * (x[:, 0] / bound + 1) / 2, 0, classes - 1).astype(numpy.int64)
if chosen.outputs == 1:
    y = y.astype(numpy.float32)[:, None]
widths = [inputs, *[width] * depth, chosen.outputs]
version = None


def of_torch():
    """Seconds of each epoch."""
    global version
    import torch
    from torch import nn

    torch.set_num_threads(chosen.threads)
    torch.manual_seed(0)
    version = f"{torch.__version__}, eager"
    activation = nn.Tanh if chosen.activation == "tanh" else nn.ReLU
    layers = [layer for fan in zip(widths, widths[1:]) for layer in (nn.Linear(*fan), activation())][:-1]
    model = nn.Sequential(*layers)
    loss = nn.BCEWithLogitsLoss() if chosen.outputs == 1 else nn.CrossEntropyLoss()
    adam = torch.optim.Adam(model.parameters(), RATE, fused=True)
    samples, classes = torch.from_numpy(x), torch.from_numpy(y)
    for _ in range(EPOCHS):
        start = time.perf_counter()
        for indices in torch.randperm(count).split(batch):
            adam.zero_grad(set_to_none=True)
            loss(model(samples[indices]), classes[indices]).backward()
            adam.step()
        yield time.perf_counter() - start


def of_jax():
    """Seconds of each epoch; the first one compiles."""
    global version
    import jax
    import optax
    from jax import lax, nn, numpy as jnp

    version = f"{jax.__version__}, scan"
    activation = jnp.tanh if chosen.activation == "tanh" else nn.relu
    of_classes = optax.softmax_cross_entropy_with_integer_labels
    of_logits = optax.sigmoid_binary_cross_entropy if chosen.outputs == 1 else of_classes

    def layer(fan_in, fan_out):
        scale = numpy.float32((2 / fan_in) ** 0.5)
        return jnp.asarray(scale * random.standard_normal((fan_in, fan_out), dtype=numpy.float32)), jnp.zeros(fan_out)

    def loss(parameters, x, y):
        for weight, bias in parameters[:-1]:
            x = activation(x @ weight + bias)
        weight, bias = parameters[-1]
        return of_logits(x @ weight + bias, y).mean()

    adam = optax.adam(RATE)
    parameters = [layer(*fan) for fan in zip(widths, widths[1:])]
    state = adam.init(parameters)

    def epoch(parameters, state, samples, classes, order):
        def step(carry, indices):
            parameters, state = carry
            gradients = jax.grad(loss)(parameters, samples[indices], classes[indices])
            updates, state = adam.update(gradients, state, parameters)
            return (optax.apply_updates(parameters, updates), state), None

        return lax.scan(step, (parameters, state), order)[0]

    epoch = jax.jit(epoch, donate_argnums=(0, 1))
    samples, classes = jnp.asarray(x), jnp.asarray(y if chosen.outputs == 1 else y.astype(numpy.int32))
    for _ in range(EPOCHS):
        start = time.perf_counter()
        order = random.permutation(count).astype(numpy.int32).reshape(-1, batch)
        parameters, state = epoch(parameters, state, samples, classes, order)
        jax.block_until_ready(parameters)
        yield time.perf_counter() - start


seconds = list(of_torch() if chosen.framework == "torch" else of_jax())
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"step_us": 1e6 * min(seconds[1:]) / chosen.steps, "peak_mib": peak, "version": version}))
