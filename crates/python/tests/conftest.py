"""Data for the tests."""

import numpy
import pytest

import chainrule


def flowers(samples, seed):
    """Samples of three classes that can be told apart, ``[samples, 4]``, and their classes."""
    random = numpy.random.default_rng(seed)
    classes = random.integers(0, 3, samples)
    centres = numpy.array([[0, 0, 1, 1], [1, 0, 0, 1], [1, 1, 0, 0]], dtype=numpy.float32)
    noise = random.normal(size=(samples, 4)).astype(numpy.float32)
    return centres[classes] + 0.2 * noise, classes


@pytest.fixture
def train():
    return flowers(300, 1)


@pytest.fixture
def validation():
    return flowers(100, 2)


@pytest.fixture
def model():
    return chainrule.Model("dense(16) then relu then dense(3)", 4, seed=5)


@pytest.fixture
def trainer(model):
    return chainrule.Trainer(model, loss="cross_entropy", optimizer="adam(lr=0.01)", metrics=["accuracy"])
