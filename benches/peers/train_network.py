"""Trains one network in PyTorch, or a dense one in JAX, on random samples, and prints the time of a step as a line of JSON.

`networks.py` calls it. PyTorch runs with the fused Adam; JAX compiles an epoch as one `scan`.
"""

import argparse
import json
import os
import resource
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--framework", choices=["torch", "jax"], required=True)
parser.add_argument("--mode", choices=["eager", "last", "compiled", "scan"], default="eager",
                    help="of PyTorch: layer by layer, the same with the channels last, or compiled")
parser.add_argument("--torch", help="the network as PyTorch's modules and those of torch_networks, in Python")
parser.add_argument("--widths", type=int, nargs="+", help="of a dense network: its inputs and the units of each layer")
parser.add_argument("--activation", choices=["relu", "tanh"], default="relu", help="of a dense network")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--outputs", type=int, default=10, help="one for each class; 1 stands for two classes")
parser.add_argument("--steps", type=int, default=100)
parser.add_argument("--batch", type=int, default=64)
parser.add_argument("input", help="the shape of a sample, such as 3,32,32")
chosen = parser.parse_args()
shape, batch = [int(size) for size in chosen.input.split(",")], chosen.batch
for library in "OMP", "OPENBLAS", "MKL":
    os.environ[f"{library}_NUM_THREADS"] = str(chosen.threads)
# JAX takes all cores that it may use.
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:chosen.threads])
os.environ["JAX_PLATFORMS"] = "cpu"
if chosen.threads == 1:
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import numpy  # noqa: E402

EPOCHS = 4
RATE = 1e-4
random = numpy.random.default_rng(0)
count = chosen.steps * batch
bound = numpy.float32(3**0.5)
x = random.random((count, *shape), dtype=numpy.float32)
x *= 2 * bound
x -= bound
outputs = chosen.outputs
classes = max(outputs, 2)
y = numpy.clip(classes * (x.reshape(count, -1)[:, 0] / bound + 1) / 2, 0, classes - 1).astype(numpy.int64)
if outputs == 1:
    y = y.astype(numpy.float32)[:, None]
version = None


def of_torch():
    """Seconds of each epoch; the first one may compile."""
    global version
    import torch
    from torch import nn

    import torch_networks

    torch.set_num_threads(chosen.threads)
    torch.manual_seed(0)
    version = torch.__version__
    model = eval(chosen.torch, {**vars(nn), **vars(torch_networks)})
    loss = nn.BCEWithLogitsLoss() if outputs == 1 else nn.CrossEntropyLoss()
    samples, classes = torch.from_numpy(x), torch.from_numpy(y)
    if chosen.mode == "last":
        model, samples = (of.to(memory_format=torch.channels_last) for of in (model, samples))
    adam = torch.optim.Adam(model.parameters(), RATE, fused=True)
    predict = torch.compile(model) if chosen.mode == "compiled" else model
    for _ in range(EPOCHS):
        start = time.perf_counter()
        for indices in torch.randperm(count).split(batch):
            adam.zero_grad(set_to_none=True)
            loss(predict(samples[indices]), classes[indices]).backward()
            adam.step()
        yield time.perf_counter() - start


def of_jax():
    """Seconds of each epoch; the first one compiles."""
    global version
    import jax
    import optax
    from jax import lax, nn, numpy as jnp

    version = jax.__version__
    activation = jnp.tanh if chosen.activation == "tanh" else nn.relu
    of_classes = optax.softmax_cross_entropy_with_integer_labels
    of_logits = optax.sigmoid_binary_cross_entropy if outputs == 1 else of_classes

    def layer(fan_in, fan_out):
        scale = numpy.float32((2 / fan_in) ** 0.5)
        return jnp.asarray(scale * random.standard_normal((fan_in, fan_out), dtype=numpy.float32)), jnp.zeros(fan_out)

    def loss(parameters, x, y):
        for weight, bias in parameters[:-1]:
            x = activation(x @ weight + bias)
        weight, bias = parameters[-1]
        return of_logits(x @ weight + bias, y).mean()

    adam = optax.adam(RATE)
    parameters = [layer(*fan) for fan in zip(chosen.widths, chosen.widths[1:])]
    state = adam.init(parameters)

    def epoch(parameters, state, samples, classes, order):
        def step(carry, indices):
            parameters, state = carry
            gradients = jax.grad(loss)(parameters, samples[indices], classes[indices])
            updates, state = adam.update(gradients, state, parameters)
            return (optax.apply_updates(parameters, updates), state), None

        return lax.scan(step, (parameters, state), order)[0]

    epoch = jax.jit(epoch, donate_argnums=(0, 1))
    samples, classes = jnp.asarray(x), jnp.asarray(y if outputs == 1 else y.astype(numpy.int32))
    for _ in range(EPOCHS):
        start = time.perf_counter()
        order = random.permutation(count).astype(numpy.int32).reshape(-1, batch)
        parameters, state = epoch(parameters, state, samples, classes, order)
        jax.block_until_ready(parameters)
        yield time.perf_counter() - start


seconds = list(of_torch() if chosen.framework == "torch" else of_jax())
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"step_us": 1e6 * min(seconds[1:]) / chosen.steps, "peak_mib": peak, "version": version}))
