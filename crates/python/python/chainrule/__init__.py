"""Train neural networks on the CPU, on NumPy arrays.

>>> import chainrule, numpy
>>> x = numpy.random.default_rng(0).random((200, 4))
>>> y = (x.sum(axis=1) > 2).astype(int)
>>> model = chainrule.Model("dense(16) then relu then dense(2)", 4)
>>> trainer = chainrule.Trainer(model, loss="cross_entropy", optimizer="adam(lr=0.01)", metrics=["accuracy"])
>>> history = trainer.fit(x, y, epochs=20)
>>> trainer.model.save("model.chainrule")

``chainrule.sklearn`` has estimators for scikit-learn, which it needs.
"""

from chainrule._chainrule import (
    EarlyStopping,
    EpochReport,
    History,
    Model,
    Scores,
    Trainer,
    __version__,
    describe,
    list,
)

__all__ = [
    "EarlyStopping",
    "EpochReport",
    "History",
    "Model",
    "Scores",
    "Trainer",
    "__version__",
    "describe",
    "list",
]
