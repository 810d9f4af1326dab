"""Estimators for scikit-learn: what ``GridSearchCV``, ``Pipeline`` and ``cross_val_score`` take.

>>> from chainrule.sklearn import ChainruleClassifier
>>> classifier = ChainruleClassifier("dense(32) then relu", epochs=30, optimizer="adam(lr=0.01)")
>>> classifier.fit(x, y).score(x, y)
"""

import numpy

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, check_random_state, validate_data
except ImportError as error:
    raise ImportError("chainrule.sklearn needs scikit-learn 1.6 or later: pip install scikit-learn") from error

from chainrule._chainrule import EarlyStopping, Model, Trainer

__all__ = ["ChainruleClassifier", "ChainruleRegressor"]


class _Estimator(BaseEstimator):
    """What both estimators do: layers that are described, then a dense layer with the outputs."""

    def __init__(
        self,
        layers="dense(100) then relu",
        *,
        loss,
        optimizer="adam",
        schedule=None,
        batch_size=32,
        epochs=20,
        validation_share=0.0,
        patience=None,
        threads=None,
        random_state=0,
    ):
        self.layers = layers
        self.loss = loss
        self.optimizer = optimizer
        self.schedule = schedule
        self.batch_size = batch_size
        self.epochs = epochs
        self.validation_share = validation_share
        self.patience = patience
        self.threads = threads
        self.random_state = random_state

    def _train(self, x, y, outputs):
        seed = self.random_state
        if not isinstance(seed, (int, numpy.integer)):
            seed = check_random_state(seed).randint(2**31)
        seed = int(seed)
        validation = None
        if self.validation_share > 0 and len(x) > 1:
            held_out = min(max(round(len(x) * self.validation_share), 1), len(x) - 1)
            order = numpy.random.default_rng(seed).permutation(len(x))
            validation = (x[order[:held_out]], y[order[:held_out]])
            x, y = x[order[held_out:]], y[order[held_out:]]
        layers = [self.layers] if self.layers else []
        trainer = Trainer(
            Model(" then ".join([*layers, f"dense({outputs})"]), x.shape[1:], seed=seed),
            loss=self.loss,
            optimizer=self.optimizer,
            schedule=self.schedule,
            # A larger batch is the same step, with a warning.
            batch_size=min(self.batch_size, len(x)),
            threads=self.threads,
            seed=seed,
            callbacks=[] if self.patience is None else [EarlyStopping(self.patience, restore_best=True)],
        )
        self.history_ = trainer.fit(x, y, epochs=self.epochs, validation=validation).to_dict()
        self.n_iter_ = len(self.history_.get("loss", []))
        self.outputs_ = trainer.outputs
        self.model_ = trainer.model

    def _checked(self, x):
        check_is_fitted(self)
        return validate_data(self, x, dtype=[numpy.float32, numpy.float64], reset=False)


class ChainruleClassifier(ClassifierMixin, _Estimator):
    """A classifier: ``layers``, then a dense layer with an output for each class.

    The labels may be of any type; of their classes there may be 65,536. Parameters are in single precision. ``patience`` stops the training
    when the loss of the validation, or of the training where ``validation_share`` is 0, has not improved for so many epochs, and brings
    the best weights back.
    """

    def __init__(
        self,
        layers="dense(100) then relu",
        *,
        loss="cross_entropy",
        optimizer="adam",
        schedule=None,
        batch_size=32,
        epochs=20,
        validation_share=0.0,
        patience=None,
        threads=None,
        random_state=0,
    ):
        super().__init__(
            layers,
            loss=loss,
            optimizer=optimizer,
            schedule=schedule,
            batch_size=batch_size,
            epochs=epochs,
            validation_share=validation_share,
            patience=patience,
            threads=threads,
            random_state=random_state,
        )

    def fit(self, X, y):
        """Trains on the samples ``X``, ``[samples, features]``, with the labels ``y``."""
        X, y = validate_data(self, X, y, dtype=[numpy.float32, numpy.float64])
        check_classification_targets(y)
        self.classes_, classes = numpy.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("Classifier can't train when only one class is present.")
        self._train(X, classes, len(self.classes_))
        return self

    def predict_proba(self, X):
        """The probability of each class, in the order of ``classes_``."""
        X = self._checked(X)
        return self.model_.predict_proba(X, outputs=self.outputs_)

    def predict(self, X):
        """The most probable label."""
        X = self._checked(X)
        return self.classes_[self.model_.predict(X).argmax(axis=1)]


class ChainruleRegressor(RegressorMixin, _Estimator):
    """A regressor: ``layers``, then a dense layer with an output for each target.

    Targets are scaled for the training, by their mean and deviation, unless ``scale_targets`` is false. Parameters are in single
    precision. ``patience`` and ``validation_share`` are as of ``ChainruleClassifier``.
    """

    def __init__(
        self,
        layers="dense(100) then relu",
        *,
        loss="mean_squared_error",
        optimizer="adam",
        schedule=None,
        batch_size=32,
        epochs=20,
        validation_share=0.0,
        patience=None,
        threads=None,
        random_state=0,
        scale_targets=True,
    ):
        super().__init__(
            layers,
            loss=loss,
            optimizer=optimizer,
            schedule=schedule,
            batch_size=batch_size,
            epochs=epochs,
            validation_share=validation_share,
            patience=patience,
            threads=threads,
            random_state=random_state,
        )
        self.scale_targets = scale_targets

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X, y):
        """Trains on the samples ``X``, ``[samples, features]``, with the targets ``y``, ``[samples]`` or ``[samples, targets]``."""
        X, y = validate_data(
            self, X, y, dtype=[numpy.float32, numpy.float64], multi_output=True, y_numeric=True
        )
        y = numpy.asarray(y, dtype=numpy.float64)
        self._single = y.ndim == 1
        targets = y.reshape(len(y), -1)
        if self.scale_targets:
            self._mean = targets.mean(axis=0)
            deviation = targets.std(axis=0)
            self._deviation = numpy.where(deviation > 0, deviation, 1.0)
        else:
            self._mean, self._deviation = numpy.zeros(targets.shape[1]), numpy.ones(targets.shape[1])
        self._train(X, (targets - self._mean) / self._deviation, targets.shape[1])
        return self

    def predict(self, X):
        """The targets, in their units."""
        X = self._checked(X)
        found = self.model_.predict(X) * self._deviation + self._mean
        return found[:, 0] if self._single else found
