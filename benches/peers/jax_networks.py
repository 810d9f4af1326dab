"""The networks of the workloads in JAX.

Each is its parameters, its running statistics, and a function of both, of samples and of a key for dropout, or `None` for a prediction; it
returns logits and the new statistics. `scan` has XLA's own convolutions, and `patches` writes them as products of shifted slices, which
XLA runs faster on a CPU.
"""

import jax
import numpy
from jax import lax, nn, numpy as jnp

random = numpy.random.default_rng(0)
DROPOUT, MOMENTUM = 0.1, 0.1


def glorot(*shape):
    """Weights with their last two axes for inputs and outputs, and biases."""
    area = numpy.prod(shape[:-2])
    bound = numpy.sqrt(6 / (area * (shape[-2] + shape[-1])))
    return random.uniform(-bound, bound, shape).astype(numpy.float32), numpy.zeros(shape[-1], numpy.float32)


def affine(width):
    """The scale and the shift of a norm."""
    return numpy.ones(width, numpy.float32), numpy.zeros(width, numpy.float32)


def dense(x, layers):
    for weight, bias in layers[:-1]:
        x = nn.relu(x @ weight + bias)
    weight, bias = layers[-1]
    return x @ weight + bias


def convolve(x, weight, variant, stride=1, padding=None):
    """With as many pixels of padding on each side as keep the size, if no other number is given."""
    height, width, _, outputs = weight.shape
    padding = height // 2 if padding is None else padding
    if variant == "scan":
        return lax.conv_general_dilated(
            x, weight, (stride, stride), [(padding, padding)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
    x = jnp.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    rows, columns = x.shape[1] - height + 1, x.shape[2] - width + 1
    shifted = [x[:, i : i + rows : stride, j : j + columns : stride] for i in range(height) for j in range(width)]
    return jnp.concatenate(shifted, -1) @ weight.reshape(-1, outputs)


def pool(x):
    samples, height, width, channels = x.shape
    return x.reshape(samples, height // 2, 2, width // 2, 2, channels).max((2, 4))


def dropout(x, key):
    if key is None:
        return x
    return jnp.where(jax.random.bernoulli(key, 1 - DROPOUT, x.shape), x / (1 - DROPOUT), 0)


def perceptron(units):
    parameters = [glorot(784, units), glorot(units, units), glorot(units, 10)]
    return parameters, (), lambda parameters, state, x, key: (dense(x, parameters), state)


def lenet(variant):
    parameters = [glorot(5, 5, 1, 6), glorot(5, 5, 6, 16), glorot(400, 120), glorot(120, 84), glorot(84, 10)]

    def apply(parameters, state, x, key):
        (first, first_bias), (second, second_bias), *rest = parameters
        x = pool(nn.relu(convolve(x.reshape(-1, 28, 28, 1), first, variant) + first_bias))
        x = pool(nn.relu(convolve(x, second, variant, padding=0) + second_bias))
        return dense(x.reshape(-1, 400), rest), state

    return parameters, (), apply


def lstm(units=128):
    parameters = {"input": glorot(28, 4 * units), "state": glorot(units, 4 * units)[0], "head": glorot(units, 10)}

    def apply(parameters, state, x, key):
        weight, bias = parameters["input"]
        steps = x.reshape(-1, 28, 28).transpose(1, 0, 2) @ weight + bias

        def step(carry, z):
            hidden, cell = carry
            i, f, g, o = jnp.split(z + hidden @ parameters["state"], 4, -1)
            cell = nn.sigmoid(f) * cell + nn.sigmoid(i) * jnp.tanh(g)
            return (nn.sigmoid(o) * jnp.tanh(cell), cell), None

        zeros = jnp.zeros((x.shape[0], units))
        (hidden, _), _ = lax.scan(step, (zeros, zeros), steps)
        return dense(hidden, [parameters["head"]]), state

    return parameters, (), apply


def transformer(width=64, heads=4):
    def block():
        return {
            "norms": [affine(width), affine(width)],
            "projections": glorot(width, 3 * width),
            "output": glorot(width, width),
            "feedforward": [glorot(width, 2 * width), glorot(2 * width, width)],
        }

    parameters = {
        "embed": glorot(49, width),
        "token": numpy.zeros((1, 1, width), numpy.float32),
        "positions": 0.02 * random.standard_normal((17, width)).astype(numpy.float32),
        "blocks": [block(), block()],
        "norm": affine(width),
        "head": glorot(width, 10),
    }

    def norm(x, scale_and_shift):
        scale, shift = scale_and_shift
        x = x - x.mean(-1, keepdims=True)
        return scale * x * lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-5) + shift

    def attention(x, block, key):
        samples, steps, _ = x.shape
        projected = dense(x, [block["projections"]]).reshape(samples, steps, 3, heads, width // heads)
        q, k, v = projected.transpose(2, 0, 3, 1, 4)
        weights = nn.softmax(q @ k.transpose(0, 1, 3, 2) / (width // heads) ** 0.5)
        mixed = (dropout(weights, key) @ v).transpose(0, 2, 1, 3).reshape(x.shape)
        return dense(mixed, [block["output"]])

    def apply(parameters, state, x, key):
        keys = iter([None] * 8 if key is None else jax.random.split(key, 8))
        patches = x.reshape(-1, 4, 7, 4, 7).transpose(0, 1, 3, 2, 4).reshape(-1, 16, 49)
        token = jnp.broadcast_to(parameters["token"], (x.shape[0], 1, width))
        x = jnp.concatenate([token, dense(patches, [parameters["embed"]])], 1) + parameters["positions"]
        for block in parameters["blocks"]:
            first, second = block["norms"]
            weight, bias = block["feedforward"][0]
            x = x + dropout(attention(norm(x, first), block, next(keys)), next(keys))
            wide = dropout(nn.relu(norm(x, second) @ weight + bias), next(keys))
            x = x + dropout(dense(wide, block["feedforward"][1:]), next(keys))
        return dense(norm(x[:, 0], parameters["norm"]), [parameters["head"]]), state

    return parameters, (), apply


def resnet(variant):
    # Inputs, channels, the kernel's size and the stride of each convolution, in the order in which they are applied.
    convolutions = [(1, 16, 3, 2)]
    blocks = [(16, 16, 1), (16, 32, 2), (32, 64, 2)]
    for inputs, channels, stride in blocks:
        convolutions += [(inputs, channels, 3, stride), (channels, channels, 3, 1)]
        convolutions += [(inputs, channels, 1, stride)] if stride > 1 else []
    parameters = {
        "convolutions": [(glorot(size, size, inputs, channels)[0], *affine(channels)) for inputs, channels, size, _ in convolutions],
        "head": glorot(64, 10),
    }
    state = [affine(channels)[::-1] for _, channels, _, _ in convolutions]

    def apply(parameters, state, x, key):
        new = []

        def normalised(x):
            number = len(new)
            weight, scale, shift = parameters["convolutions"][number]
            x = convolve(x, weight, variant, convolutions[number][3])
            mean, variance = state[number]
            if key is not None:
                found = x.mean((0, 1, 2)), x.var((0, 1, 2))
                new.append(tuple(old + MOMENTUM * (now - old) for old, now in zip(state[number], found)))
                mean, variance = found
            else:
                new.append(state[number])
            return (x - mean) * (scale * lax.rsqrt(variance + 1e-5)) + shift

        x = nn.relu(normalised(x.reshape(-1, 28, 28, 1)))
        for _, _, stride in blocks:
            deep = normalised(nn.relu(normalised(x)))
            x = nn.relu(deep + (normalised(x) if stride > 1 else x))
        return dense(x.mean((1, 2)), [parameters["head"]]), new

    return parameters, state, apply


def of_images(network, variant):
    """A workload's network for images of digits; a number stands for dense layers of as many units."""
    named = {"lenet": lambda: lenet(variant), "lstm": lstm, "transformer": transformer, "resnet": lambda: resnet(variant)}
    return named[network]() if network in named else perceptron(network)
