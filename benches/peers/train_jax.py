"""JAX with optax: an epoch as one compiled `scan` over its batches, the fastest of the ways that were tried.

Of LeNet's convolutions, `scan` has XLA's own and `patches` writes them as products of shifted slices, which XLA runs
faster on a CPU.
"""

import os
import time

from workloads import EPSILON, LEARNING_RATE, arguments, mnist, report

chosen = arguments("scan", "patches")
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["NPROC"] = str(chosen.threads)
if chosen.threads == 1:
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import jax  # noqa: E402
import numpy  # noqa: E402
import optax  # noqa: E402
from jax import lax, nn, numpy as jnp  # noqa: E402

random = numpy.random.default_rng(0)
x, y, test_x, test_y = mnist(chosen.data)


def glorot(*shape):
    """Weights with their last two axes for inputs and outputs, and biases."""
    area = numpy.prod(shape[:-2])
    bound = numpy.sqrt(6 / (area * (shape[-2] + shape[-1])))
    return random.uniform(-bound, bound, shape).astype(numpy.float32), numpy.zeros(shape[-1], numpy.float32)


def dense(x, layers):
    for weight, bias in layers[:-1]:
        x = nn.relu(x @ weight + bias)
    weight, bias = layers[-1]
    return x @ weight + bias


def convolve(x, weight, padding):
    if chosen.variant == "scan":
        return lax.conv_general_dilated(x, weight, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))
    height, width, inputs, outputs = weight.shape
    if padding == "SAME":
        x = jnp.pad(x, ((0, 0), (height // 2,) * 2, (width // 2,) * 2, (0, 0)))
    rows, columns = x.shape[1] - height + 1, x.shape[2] - width + 1
    shifted = [x[:, i : i + rows, j : j + columns] for i in range(height) for j in range(width)]
    return jnp.concatenate(shifted, -1) @ weight.reshape(-1, outputs)


def pool(x):
    samples, height, width, channels = x.shape
    return x.reshape(samples, height // 2, 2, width // 2, 2, channels).max((2, 4))


def lenet(parameters, x):
    (first, first_bias), (second, second_bias), *rest = parameters
    x = pool(nn.relu(convolve(x.reshape(-1, 28, 28, 1), first, "SAME") + first_bias))
    x = pool(nn.relu(convolve(x, second, "VALID") + second_bias))
    return dense(x.reshape(-1, 400), rest)


if chosen.hidden is None:
    model = lenet
    parameters = [glorot(5, 5, 1, 6), glorot(5, 5, 6, 16), glorot(400, 120), glorot(120, 84), glorot(84, 10)]
else:
    units, model = chosen.hidden, lambda parameters, x: dense(x, parameters)
    parameters = [glorot(784, units), glorot(units, units), glorot(units, 10)]
adam = optax.adam(LEARNING_RATE, eps=EPSILON)


def step(carry, indices, x, y):
    parameters, state = carry

    def loss(parameters):
        logits = model(parameters, x[indices])
        return optax.softmax_cross_entropy_with_integer_labels(logits, y[indices]).mean()

    updates, state = adam.update(jax.grad(loss)(parameters), state, parameters)
    return (optax.apply_updates(parameters, updates), state), None


def epoch(carry, order, x, y):
    whole = len(order) // chosen.batch * chosen.batch
    batches = order[:whole].reshape(-1, chosen.batch)
    carry, _ = lax.scan(lambda carry, indices: step(carry, indices, x, y), carry, batches)
    return step(carry, order[whole:], x, y)[0] if whole < len(order) else carry


def order():
    return random.permutation(len(x)).astype(numpy.int32)


x, y = jnp.asarray(x), jnp.asarray(y.astype(numpy.int32))
carry = jax.tree.map(jnp.asarray, parameters), adam.init(parameters)
program = jax.jit(epoch, donate_argnums=0).lower(carry, order(), x, y).compile()
seconds = []
for _ in range(chosen.epochs):
    begin = time.perf_counter()
    carry = jax.block_until_ready(program(carry, order(), x, y))
    seconds.append(time.perf_counter() - begin)
predict = jax.jit(lambda parameters, x: model(parameters, x).argmax(1))
right = [predict(carry[0], test_x[i : i + 1000]) == test_y[i : i + 1000] for i in range(0, len(test_x), 1000)]
version = f"{jax.__version__} with optax {optax.__version__}"
report("JAX, scan", version, chosen, seconds, numpy.mean(right))
