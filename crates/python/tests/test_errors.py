"""What goes wrong is an exception of the right type, with the text of the library."""

import numpy
import pytest

import chainrule


def test_descriptions():
    with pytest.raises(ValueError, match="there is no layer named `dence`; the nearest name is `dense`"):
        chainrule.Model("dence(3)", 4)
    with pytest.raises(ValueError, match="dense"):
        chainrule.Model("dense(", 4)
    with pytest.raises(ValueError, match=r"\[4\]|4"):
        chainrule.Model("conv2d(8, 3)", 4)
    with pytest.raises(ValueError, match="no sample can have the shape"):
        chainrule.Model("dense(3)", (1, 1, 1, 1, 1, 1, 1))
    with pytest.raises(ValueError, match="no sample can have the shape"):
        chainrule.Model("dense(3)", -1)
    with pytest.raises(TypeError, match="input is the shape of a sample, a number or a tuple of numbers, and not 4.5"):
        chainrule.Model("dense(3)", 4.5)
    with pytest.raises(MemoryError, match="more than the system has memory for"):
        chainrule.Model(f"dense({2**30})", 2**20)


@pytest.mark.parametrize(
    "changed, text",
    [
        ({"loss": "cross_entrop"}, "the nearest name is `cross_entropy`"),
        ({"optimizer": "adma"}, "there is no optimizer named `adma`; the nearest name is `adam`"),
        ({"optimizer": "adam(lr=-1)"}, None),
        ({"schedule": "cosin"}, "cosine"),
        ({"optimizer": "adam(lr=cosine(0.1))", "schedule": "cosine"}, "leave out `schedule`"),
        ({"metrics": ["acuracy"]}, "accuracy"),
        ({"batch_size": 0}, None),
        ({"threads": 0}, "choose at least 1"),
    ],
)
def test_settings(model, train, changed, text):
    with pytest.raises(ValueError, match=text):
        chainrule.Trainer(model, **{"loss": "cross_entropy", **changed}).fit(*train)


def test_wrong_shapes(trainer, train):
    x, classes = train
    with pytest.raises(ValueError, match=r"the samples have the shape \[3\], but the model was planned for \[4\]"):
        trainer.fit(x[:, :3], classes)
    with pytest.raises(ValueError, match=r"the samples have the shape \[2, 2\], but the model was planned for \[4\]"):
        trainer.model.predict(x.reshape(-1, 2, 2))
    with pytest.raises(ValueError, match="there are 300 samples but 299 targets"):
        trainer.fit(x, classes[1:])
    with pytest.raises(ValueError, match="there are 300 samples but 299 targets"):
        trainer.fit(x, classes, validation=(x, classes[1:]))
    with pytest.raises(ValueError, match="its first axis has to count the samples"):
        trainer.fit(numpy.float32(1), classes)
    with pytest.raises(ValueError, match="7 axes: at most 6"):
        trainer.fit(x.reshape(300, 1, 1, 1, 1, 1, 2, 2), classes)
    with pytest.raises(ValueError):
        trainer.fit(x[:0], classes[:0])


def test_wrong_types(trainer, train):
    x, classes = train
    with pytest.raises(TypeError, match="x has the dtype object: give numbers"):
        trainer.fit(x.astype(object), classes)
    with pytest.raises(TypeError, match="x has the dtype complex64"):
        trainer.model.predict(x.astype(numpy.complex64))
    with pytest.raises(TypeError, match="y has the dtype <U21: give classes as whole numbers from 0"):
        trainer.fit(x, classes.astype(str))
    with pytest.raises(ValueError, match="sample 1 has the class -1, but classes are whole numbers from 0 to 65,535"):
        trainer.fit(x, numpy.where(numpy.arange(300) == 1, -1, 0))
    with pytest.raises(ValueError, match="sample 0 has the class 65536"):
        trainer.fit(x, 0 * classes + 65536)
    with pytest.raises(ValueError, match="does not fit the model's 3 outputs"):
        trainer.fit(x, classes + 1)
    trainer.fit(x, classes)
    with pytest.raises(TypeError, match="give targets of one type"):
        trainer.evaluate(x, numpy.eye(3)[classes])
    with pytest.raises(TypeError, match="cannot be called"):
        chainrule.Trainer(trainer.model, loss="cross_entropy", callbacks=[3])


def test_numbers_that_are_none(trainer, model, train):
    x, classes = train
    x = x.copy()
    x[17, 2] = numpy.nan
    with pytest.raises(FloatingPointError, match="sample 17"):
        trainer.fit(x, classes)
    # The step was not taken, and what is trained is as it was before that.
    assert all(numpy.isfinite(values).all() for values in trainer.model.state_dict().values())
    assert numpy.isnan(model.predict(x)[17]).all()
    with pytest.raises(FloatingPointError):
        trainer.fit(numpy.full((64, 4), 1e300), numpy.zeros(64, dtype=int))


def test_files(model, tmp_path):
    with pytest.raises(FileNotFoundError, match="cannot read .*no-model"):
        chainrule.Model.load(tmp_path / "no-model.chainrule")
    with pytest.raises(OSError, match="cannot write"):
        model.save(tmp_path / "no-folder" / "model.chainrule")
    other = tmp_path / "text.chainrule"
    other.write_text("this is no model at all, but a text that is long enough")
    with pytest.raises(ValueError, match="is not a chainrule model"):
        chainrule.Model.load(other)
    path = tmp_path / "model.chainrule"
    model.save(str(path))
    damaged = bytearray(path.read_bytes())
    damaged[-5] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match="checksum is wrong"):
        chainrule.Model.load(path)
