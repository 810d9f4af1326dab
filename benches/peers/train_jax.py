"""JAX with optax: an epoch as one compiled `scan` over its batches, the fastest of the ways that were tried.

Of convolutions, `scan` has XLA's own and `patches` writes them as products of shifted slices, which XLA runs faster on a CPU.
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
from jax import lax, numpy as jnp  # noqa: E402

from jax_networks import of_images, random  # noqa: E402

x, y, test_x, test_y = mnist(chosen.data)
parameters, statistics, model = of_images(chosen.network, chosen.variant)
adam = optax.adam(LEARNING_RATE, eps=EPSILON)


def step(carry, indices, x, y):
    parameters, state, statistics, key = carry
    # Only the transformer drops values.
    key, mask = jax.random.split(key) if chosen.network == "transformer" else (key, key)

    def loss(parameters):
        logits, new = model(parameters, statistics, x[indices], mask)
        return optax.softmax_cross_entropy_with_integer_labels(logits, y[indices]).mean(), new

    gradients, statistics = jax.grad(loss, has_aux=True)(parameters)
    updates, state = adam.update(gradients, state, parameters)
    return (optax.apply_updates(parameters, updates), state, statistics, key), None


def epoch(carry, order, x, y):
    whole = len(order) // chosen.batch * chosen.batch
    batches = order[:whole].reshape(-1, chosen.batch)
    carry, _ = lax.scan(lambda carry, indices: step(carry, indices, x, y), carry, batches)
    return step(carry, order[whole:], x, y)[0] if whole < len(order) else carry


def order():
    return random.permutation(len(x)).astype(numpy.int32)


x, y = jnp.asarray(x), jnp.asarray(y.astype(numpy.int32))
parameters, statistics = jax.tree.map(jnp.asarray, (parameters, statistics))
carry = parameters, adam.init(parameters), statistics, jax.random.key(0)
program = jax.jit(epoch, donate_argnums=0).lower(carry, order(), x, y).compile()
seconds = []
for _ in range(chosen.epochs):
    begin = time.perf_counter()
    carry = jax.block_until_ready(program(carry, order(), x, y))
    seconds.append(time.perf_counter() - begin)
predict = jax.jit(lambda parameters, statistics, x: model(parameters, statistics, x, None)[0].argmax(1))
right = [predict(carry[0], carry[2], test_x[i : i + 1000]) == test_y[i : i + 1000] for i in range(0, len(test_x), 1000)]
version = f"{jax.__version__} with optax {optax.__version__}"
report("JAX, scan", version, chosen, seconds, numpy.mean(right))
