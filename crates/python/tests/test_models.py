"""Models: files, pickles, parameters by name, and what can be named."""

import copy
import pickle

import numpy
import pytest

import chainrule


def test_a_model_is_described_and_summed_up(model):
    assert (model.input, model.output, model.size) == ((4,), (3,), 4 * 16 + 16 + 16 * 3 + 3)
    again = chainrule.Model(model.describe(), model.input, seed=5)
    assert again.parameters_sha256() == model.parameters_sha256()
    assert "131" in model.summary()
    assert chainrule.Model("flatten then dense(2)", (28, 28)).input == (28, 28)


def test_a_file_has_the_model(trainer, train, tmp_path):
    trainer.fit(*train)
    path = tmp_path / "model.chainrule"
    trainer.model.save(path)
    loaded = chainrule.Model.load(str(path))
    assert loaded.parameters_sha256() == trainer.model.parameters_sha256()
    assert numpy.array_equal(loaded.predict(train[0]), trainer.predict(train[0]))


@pytest.mark.parametrize("remake", [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_and_pickles_are_the_model(trainer, train, remake):
    trainer.fit(*train)
    model = trainer.model
    again = remake(model)
    assert again.parameters_sha256() == model.parameters_sha256()
    assert again.describe() == model.describe()
    again.load_state_dict({name: 0 * values for name, values in again.state_dict().items()})
    assert again.parameters_sha256() != model.parameters_sha256()


def test_parameters_go_out_and_come_in(model, train):
    arrays = model.state_dict()
    assert {name: values.shape for name, values in arrays.items()} == {
        "0.weight": (4, 16),
        "0.bias": (16,),
        "2.weight": (16, 3),
        "2.bias": (3,),
    }
    hidden = numpy.maximum(train[0] @ arrays["0.weight"] + arrays["0.bias"], 0)
    expected = hidden @ arrays["2.weight"] + arrays["2.bias"]
    assert numpy.abs(model.predict(train[0]) - expected).max() < 1e-5
    torch = model.state_dict(names="pytorch")
    assert numpy.array_equal(torch["0.weight"], arrays["0.weight"].T)
    other = chainrule.Model(model.describe(), 4, seed=6)
    assert other.load_state_dict(torch, names="pytorch") == ([], [])
    assert other.parameters_sha256() == model.parameters_sha256()
    # Views, also of another order of axes.
    other = chainrule.Model(model.describe(), 4, seed=6)
    other.load_state_dict({name: numpy.asfortranarray(values) for name, values in arrays.items()})
    assert other.parameters_sha256() == model.parameters_sha256()


def test_parameters_that_do_not_fit_change_nothing(model):
    arrays, before = model.state_dict(), model.parameters_sha256()
    double = {name: values.astype(float) for name, values in arrays.items()}
    for wrong, text in [
        ({**arrays, "3.bias": arrays["2.bias"]}, "3.bias"),
        ({"0.weight": arrays["0.weight"]}, "2.weight"),
        ({**arrays, "0.bias": arrays["2.bias"]}, "0.bias"),
        (double, "f64|float64|F64"),
    ]:
        with pytest.raises(ValueError, match=text):
            model.load_state_dict(wrong)
    with pytest.raises(TypeError, match="the array `0.bias` has the dtype int64"):
        model.load_state_dict({**arrays, "0.bias": numpy.zeros(16, dtype=numpy.int64)})
    with pytest.raises(ValueError, match="there are no names of `torch`"):
        model.state_dict(names="torch")
    assert model.parameters_sha256() == before
    assert model.load_state_dict(double, rounded=True) == ([], [])
    some = {"0.bias": arrays["0.bias"] + 1, "more": arrays["2.bias"]}
    assert model.load_state_dict(some, strict=False) == (["0.weight", "2.weight", "2.bias"], ["more"])
    assert numpy.array_equal(model.state_dict()["0.bias"], arrays["0.bias"] + 1)


def test_what_has_a_name_is_listed():
    for kind, name in [
        ("layers", "dense"),
        ("activations", "relu"),
        ("initializers", "glorot_uniform"),
        ("losses", "cross_entropy"),
        ("metrics", "accuracy"),
        ("optimizers", "adam"),
        ("schedules", "cosine"),
    ]:
        assert name in chainrule.list(kind)
        assert chainrule.describe(kind, name).startswith(f"{name}: ")
    with pytest.raises(ValueError, match="the nearest is `optimizers`"):
        chainrule.list("optimisers")
    with pytest.raises(ValueError, match="the nearest name is `adam`"):
        chainrule.describe("optimizers", "adma")


@pytest.mark.parametrize("optimizer", ["sgd(lr=0.1, momentum=0.9)", "clip_by_global_norm(1) then lion", "muon"])
@pytest.mark.parametrize("schedule", [None, "cosine", "warm_up(5) then cosine"])
def test_optimizers_and_schedules_are_named_as_in_the_program(model, train, optimizer, schedule):
    trainer = chainrule.Trainer(model, loss="cross_entropy", optimizer=optimizer, schedule=schedule)
    losses = trainer.fit(*train, epochs=4).to_dict()["loss"]
    assert losses[-1] < losses[0]
