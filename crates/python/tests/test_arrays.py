"""What arrays are read as, and where."""

import tracemalloc

import numpy
import pytest

import chainrule


def hash_of(x, classes, input=4):
    model = chainrule.Model("flatten then dense(16) then relu then dense(3)" if input != 4 else "dense(3)", input)
    trainer = chainrule.Trainer(model, loss="cross_entropy", batch_size=20)
    trainer.fit(x, classes, epochs=2)
    return trainer.model.parameters_sha256()


@pytest.fixture
def x(train):
    return train[0]


@pytest.fixture
def classes(train):
    return train[1]


def test_any_strides_are_the_same_samples(x, classes):
    expected = hash_of(x, classes)
    wide = numpy.zeros((600, 9), dtype=numpy.float32)
    wide[::2, 1:9:2] = x
    unaligned = numpy.frombuffer(bytearray(b"x" + x.tobytes()), dtype=numpy.uint8)
    views = {
        "columns first": numpy.asfortranarray(x),
        "every second row and column": wide[::2, 1:9:2],
        "backwards": x[::-1].copy()[::-1],
        "columns backwards": x[:, ::-1].copy()[:, ::-1],
        "transposed": x.T.copy().T,
        "read-only": x.copy(),
        "unaligned": unaligned[1:].view(numpy.float32).reshape(x.shape),
    }
    views["read-only"].setflags(write=False)
    for name, view in views.items():
        assert numpy.array_equal(view, x), name
        assert hash_of(view, classes) == expected, name


def test_pictures_in_any_order_of_axes_are_the_same_samples(classes):
    pictures = numpy.random.default_rng(1).random((300, 2, 5, 3), dtype=numpy.float32)
    expected = hash_of(pictures, classes, (2, 5, 3))
    last = numpy.ascontiguousarray(pictures.transpose(0, 2, 3, 1))
    assert hash_of(last.transpose(0, 3, 1, 2), classes, (2, 5, 3)) == expected


@pytest.mark.parametrize(
    "dtype",
    ["float64", "float16", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "bool", ">f4", ">i2", "longdouble"],
)
def test_any_numbers_are_the_same_samples(dtype, classes):
    whole = numpy.random.default_rng(2).integers(0, 2 if dtype == "bool" else 100, (300, 4))
    assert hash_of(whole.astype(dtype), classes) == hash_of(whole.astype(numpy.float32), classes)


@pytest.mark.parametrize("dtype", ["uint8", "int64", ">i4", "bool"])
def test_classes_may_have_any_type_of_whole_numbers(x, dtype):
    classes = numpy.arange(300) % 2
    assert hash_of(x, classes.astype(dtype)) == hash_of(x, classes)
    assert hash_of(x.tolist(), classes.tolist()) == hash_of(x, classes)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_samples_are_not_copied(dtype):
    x = numpy.zeros((20000, 100), dtype=dtype)
    classes = numpy.zeros(20000, dtype=numpy.uint8)
    trainer = chainrule.Trainer(chainrule.Model("dense(2)", 100), loss="cross_entropy", batch_size=1000)
    tracemalloc.start()
    trainer.fit(x, classes)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # NumPy's own arrays are traced: a copy would be at least 8 MB.
    assert most < 1_000_000


def test_an_array_may_be_changed_between_fits_and_is_not_locked(trainer, x, classes):
    trainer.fit(x, classes)
    before = trainer.model.parameters_sha256()
    x += 1
    assert x.flags.writeable
    trainer.fit(x, classes)
    assert trainer.model.parameters_sha256() != before


def test_an_array_that_is_changed_during_a_fit_does_no_harm(model, x, classes):
    def change(report):
        x[:] = report.epoch

    trainer = chainrule.Trainer(model, loss="cross_entropy", callbacks=[change])
    history = trainer.fit(x, classes, epochs=3)
    assert len(history) == 3 and numpy.isfinite(history.to_dict()["loss"]).all()


def test_predictions_have_the_shape_of_the_output(x):
    model = chainrule.Model("dense(6) then reshape([2, 3])", 4)
    assert model.output == (2, 3)
    found = model.predict(x)
    assert found.shape == (300, 2, 3) and found.dtype == numpy.float32
    assert model.predict(x[:0]).shape == (0, 2, 3)
    # In parts as in one, and of any view.
    assert numpy.array_equal(model.predict(x[::3]), model.predict(x[::3].copy()))
    assert numpy.abs(model.predict(x[290:]) - found[290:]).max() < 1e-6


def test_a_stateful_model_predicts_each_sample_alone():
    x = numpy.random.default_rng(1).random((600, 5, 2), dtype=numpy.float32)
    model = chainrule.Model("lstm(3, stateful=true)", (5, 2))
    assert numpy.abs(model.predict(x)[300:] - model.predict(x[300:])).max() < 1e-6
