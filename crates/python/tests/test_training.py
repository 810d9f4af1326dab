"""Fits: what they reach, whose bits they have, and how they are watched and stopped."""

import os
import signal
import subprocess
import threading
import time

import numpy
import pytest

import chainrule


def test_a_fit_learns(trainer, train, validation):
    history = trainer.fit(*train, epochs=10, validation=validation)
    assert len(history) == 10 and not history.stopped
    last = history.epochs[-1]
    assert (last.epoch, last.samples) == (9, 300)
    assert last.validation["accuracy"] > 0.95
    assert last.train.loss < history.epochs[0].train.loss / 2
    scores = trainer.evaluate(*validation)
    assert (scores.loss, scores.metrics) == (last.validation.loss, last.validation.metrics)
    lists = history.to_dict()
    assert set(lists) == {"loss", "accuracy", "validation_loss", "validation_accuracy", "seconds"}
    assert lists["validation_loss"][-1] == scores["loss"] == scores.loss


def test_the_model_of_a_trainer_is_a_copy(trainer, model, train):
    before = model.parameters_sha256()
    assert trainer.model.parameters_sha256() == before
    trainer.fit(*train)
    assert model.parameters_sha256() == before
    assert trainer.model.parameters_sha256() != before
    assert trainer.epochs_done == 1


def test_two_fits_are_one(model, train):
    settings = dict(loss="cross_entropy", optimizer="sgd(lr=0.1)")
    one, two = (chainrule.Trainer(model, **settings) for _ in range(2))
    one.fit(*train, epochs=4)
    two.fit(*train, epochs=1)
    two.fit(*train, epochs=3)
    assert one.model.parameters_sha256() == two.model.parameters_sha256()


def test_a_training_goes_on_from_a_checkpoint(model, train, tmp_path):
    settings = dict(loss="cross_entropy", optimizer="adam(lr=0.01)", seed=3)
    whole = chainrule.Trainer(model, **settings)
    whole.fit(*train, epochs=4)
    path = tmp_path / "run.checkpoint"
    first = chainrule.Trainer(model, **settings, checkpoint=path)
    first.fit(*train, epochs=2)
    saved = tmp_path / "saved.checkpoint"
    first.save(saved)
    for file in (path, saved):
        # The seed is that of the file.
        again = chainrule.Trainer(model, loss="cross_entropy", optimizer="adam(lr=0.01)", resume=file)
        assert again.epochs_done == 2
        assert again.model.parameters_sha256() == first.model.parameters_sha256()
        again.fit(*train, epochs=2)
        assert again.model.parameters_sha256() == whole.model.parameters_sha256()
    # One that was written again in the meantime is not that from which the trainer said to go on.
    late = chainrule.Trainer(model, **settings, resume=path)
    first.fit(*train, epochs=1)
    with pytest.raises(ValueError, match="has changed since"):
        late.fit(*train, epochs=1)
    # Before the first step too, and the model of a checkpoint is a model.
    chainrule.Trainer(model, **settings).save(saved)
    begun = chainrule.Trainer(model, **settings, resume=saved)
    begun.fit(*train, epochs=4)
    assert begun.model.parameters_sha256() == whole.model.parameters_sha256()
    assert chainrule.Model.load(path).parameters_sha256() == first.model.parameters_sha256()
    with pytest.raises(ValueError, match="of another training.* Adam .* Sgd "):
        chainrule.Trainer(model, loss="cross_entropy", optimizer="sgd(lr=0.1)", resume=path)
    with pytest.raises(FileNotFoundError):
        chainrule.Trainer(model, **settings, resume=tmp_path / "nothing")


def test_the_number_of_threads_is_no_part_of_the_result(train):
    model = chainrule.Model("dense(512) then relu then dense(512) then relu then dense(3)", 4)
    hashes = set()
    for threads in (1, 2):
        trainer = chainrule.Trainer(model, loss="cross_entropy", shards=2, threads=threads, batch_size=100)
        trainer.fit(*train)
        hashes.add(trainer.model.parameters_sha256())
    assert len(hashes) == 1


def images(count, seed):
    random = numpy.random.default_rng(seed)
    return random.integers(0, 256, (count, 28, 28)).astype(numpy.uint8), (numpy.arange(count) % 10).astype(numpy.uint8)


def write_idx(path, values):
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    path.write_bytes(bytes([0, 0, 8, values.ndim]) + sizes + values.tobytes())


LAYERS = "flatten then dense(12) then tanh then dropout(0.25) then dense(10)"
# What the program makes of the images of the next two tests, on any CPU: `portable`.
HASH = "eec2a52a4fb82f11661833a701fa9d17b3b0a041bc8b54c9f3ec295bb82377ea"


def trained_on_images():
    pixels, classes = images(200, 3)
    trainer = chainrule.Trainer(
        chainrule.Model(LAYERS, (28, 28), seed=7),
        loss="cross_entropy(label_smoothing=0.1)",
        optimizer="clip_by_global_norm(1) then adamw(lr=0.005)",
        schedule="cosine",
        batch_size=16,
        seed=7,
        portable=True,
    )
    trainer.fit(pixels * numpy.float32(1 / 255), classes, epochs=3)
    return trainer.model


def test_the_bits_are_those_of_the_program_that_were_noted():
    assert trained_on_images().parameters_sha256() == HASH


@pytest.mark.skipif("CHAINRULE_PROGRAM" not in os.environ, reason="CHAINRULE_PROGRAM does not name the program")
def test_the_bits_are_those_of_the_program(tmp_path):
    for name, (pixels, classes) in {"train": images(200, 3), "t10k": images(20, 4)}.items():
        write_idx(tmp_path / f"{name}-images-idx3-ubyte", pixels)
        write_idx(tmp_path / f"{name}-labels-idx1-ubyte", classes)
    layers = ", ".join(f'"{layer}"' for layer in LAYERS.split(" then "))
    (tmp_path / "images.toml").write_text(
        f"""epochs = 3
batch_size = 16
seed = 7
portable = true
loss = "cross_entropy(label_smoothing=0.1)"
optimizer = "clip_by_global_norm(1) then adamw(lr=0.005)"
schedule = "cosine"

[data]
idx = "."

[model]
layers = [{layers}]
"""
    )
    program = os.environ["CHAINRULE_PROGRAM"]
    done = subprocess.run([program, "train", "images.toml"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("*.chainrule")
    model = chainrule.Model.load(path)
    assert model.parameters_sha256() == trained_on_images().parameters_sha256()
    assert "configuration" in model.notes


def test_callbacks_see_each_epoch(model, train, validation):
    seen = []

    def watch(report):
        assert threading.current_thread() is threading.main_thread()
        copy = report.model()
        seen.append((report.epoch, report.validation.loss, copy.parameters_sha256()))
        return report.epoch == 2

    trainer = chainrule.Trainer(model, loss="cross_entropy", callbacks=[watch])
    history = trainer.fit(*train, epochs=5, validation=validation)
    assert history.stopped and len(history) == 3
    assert [epoch for epoch, _, _ in seen] == [0, 1, 2]
    assert seen[-1][1:] == (history.epochs[-1].validation.loss, trainer.model.parameters_sha256())
    with pytest.raises(ValueError, match="only while a callback is told of it"):
        history.epochs[0].model()


def test_what_a_callback_raises_comes_out_of_fit(model, train):
    class Enough(Exception):
        pass

    def fail(report):
        raise Enough(report.epoch)

    trainer = chainrule.Trainer(model, loss="cross_entropy", callbacks=[fail])
    with pytest.raises(Enough, match="0"):
        trainer.fit(*train, epochs=5)
    assert trainer.epochs_done == 1
    trainer = chainrule.Trainer(model, loss="cross_entropy", callbacks=[lambda report: "stop"])
    with pytest.raises(TypeError, match="a callback returned 'stop': return True to stop"):
        trainer.fit(*train)


def test_early_stopping_brings_the_best_back(model, train, validation):
    stopping = chainrule.EarlyStopping(3, monitor="accuracy", better="max", restore_best=True)
    trainer = chainrule.Trainer(
        model, loss="cross_entropy", optimizer="adam(lr=0.05)", metrics=["accuracy"], callbacks=[stopping]
    )
    history = trainer.fit(*train, epochs=100, validation=validation)
    assert history.stopped and len(history) < 100
    best = max(history.to_dict()["validation_accuracy"])
    assert trainer.evaluate(*validation)["accuracy"] == best


def test_early_stopping_goes_on_from_a_checkpoint(model, train, validation, tmp_path):
    """It counts the epochs before the checkpoint, and has the best weights of all."""

    def trainer(**settings):
        stopping = chainrule.EarlyStopping(3, monitor="accuracy", better="max", restore_best=True)
        return chainrule.Trainer(
            model,
            loss="cross_entropy",
            optimizer="adam(lr=0.05)",
            metrics=["accuracy"],
            callbacks=[stopping],
            **settings,
        )

    whole = trainer()
    epochs = len(whole.fit(*train, epochs=100, validation=validation))
    first = trainer()
    first.fit(*train, epochs=epochs - 1, validation=validation)
    path = tmp_path / "run.checkpoint"
    first.save(path)
    again = trainer(resume=path)
    history = again.fit(*train, epochs=100, validation=validation)
    assert history.stopped and again.epochs_done == epochs
    assert again.model.parameters_sha256() == whole.model.parameters_sha256()


def test_the_lock_of_python_is_released(train):
    """Another thread runs Python code while this one trains."""
    model = chainrule.Model("dense(256) then relu then dense(256) then relu then dense(3)", 4)
    trainer = chainrule.Trainer(model, loss="cross_entropy", threads=1)
    counted, done = [0], threading.Event()

    def count():
        while not done.is_set():
            counted[0] += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    start = time.monotonic()
    trainer.fit(*train, epochs=200)
    during, seconds = counted[0], time.monotonic() - start
    done.set()
    thread.join()
    assert during > 20 * seconds


def test_a_trainer_at_work_says_so(trainer, train):
    errors = []

    def look(report):
        try:
            trainer.model
        except RuntimeError as error:
            errors.append(str(error))

    other = chainrule.Trainer(trainer.model, loss="cross_entropy", callbacks=[look])
    trainer = other
    other.fit(*train)
    assert len(errors) == 1 and "the trainer is at work" in errors[0]


def test_ctrl_c_stops_a_fit(trainer, train):
    # What starts the tests may have it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(*train, epochs=10**9)
    assert time.monotonic() - start < 10
    done = trainer.epochs_done
    assert done > 0
    # It goes on, also with the epoch that was interrupted.
    trainer.fit(*train, epochs=2)
    assert trainer.epochs_done == done + 2


def test_undefined_metrics_are_none_and_others_lists():
    x = numpy.eye(4, dtype=numpy.float32)
    model = chainrule.Model("dense(2)", 4)
    trainer = chainrule.Trainer(
        model, loss="cross_entropy", metrics=["auroc", "precision(average=per_class)", "confusion_matrix"]
    )
    scores = trainer.evaluate(x, numpy.zeros(4, dtype=int))
    assert scores["auroc"] is None
    per_class = next(value for name, value in scores.metrics.items() if name.startswith("precision"))
    assert isinstance(per_class, list) and len(per_class) == 2
    assert isinstance(scores["confusion_matrix"], dict)
    with pytest.raises(KeyError):
        scores["accuracy"]


def test_probabilities_are_as_the_loss_takes_the_outputs(model, train, trainer):
    x, classes = train
    trainer.fit(x, classes)
    logits = trainer.predict(x).astype(numpy.float64)
    expected = numpy.exp(logits) / numpy.exp(logits).sum(axis=1, keepdims=True)
    assert numpy.abs(trainer.predict_proba(x) - expected).max() < 1e-6
    assert trainer.outputs == "logits"
    single = chainrule.Trainer(chainrule.Model("dense(1)", 4), loss="binary_cross_entropy")
    found = single.predict_proba(x)
    yes = 1 / (1 + numpy.exp(-single.predict(x)[:, 0].astype(numpy.float64)))
    assert found.shape == (300, 2) and numpy.abs(found[:, 1] - yes).max() < 1e-6
    assert numpy.abs(found.sum(axis=1) - 1).max() < 1e-6
    values = chainrule.Trainer(chainrule.Model("dense(1)", 4), loss="mean_squared_error")
    with pytest.raises(ValueError, match="no probabilities"):
        values.predict_proba(x)


def test_values_are_targets_too(train):
    x, _ = train
    y = x @ numpy.array([1.0, -2.0, 0.5, 3.0]) + 1
    trainer = chainrule.Trainer(
        chainrule.Model("dense(1)", 4), loss="mean_squared_error", optimizer="adam(lr=0.05)", metrics=["r2"]
    )
    trainer.fit(x, y, epochs=60)
    assert trainer.evaluate(x, y)["r2"] > 0.999
    # Whole numbers are values as well where the loss compares values.
    assert trainer.evaluate(x, y.round().astype(int)).loss > 0
    with pytest.raises(ValueError, match="outputs"):
        trainer.fit(x, numpy.stack([y, y], axis=1))
