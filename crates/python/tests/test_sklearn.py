"""The estimators, as scikit-learn uses them."""

import pickle

import numpy
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from chainrule.sklearn import ChainruleClassifier, ChainruleRegressor

# The checks of scikit-learn that an estimator does not pass: docs/python.md says which and why.
FAILURES = {"ChainruleClassifier": set(), "ChainruleRegressor": set()}


@pytest.mark.parametrize("estimator", [ChainruleClassifier(), ChainruleRegressor()], ids=lambda e: type(e).__name__)
def test_the_checks_of_scikit_learn(estimator):
    results = check_estimator(estimator, on_fail=None)
    failed = {
        result["check_name"]: str(result["exception"]) for result in results if result["status"] == "failed"
    }
    assert set(failed) == FAILURES[type(estimator).__name__], failed
    assert sum(result["status"] == "passed" for result in results) > 30


def test_a_classifier_in_a_pipeline_and_a_grid():
    x, y = load_iris(return_X_y=True)
    names = numpy.array(["setosa", "versicolor", "virginica"])[y]
    pipeline = make_pipeline(StandardScaler(), ChainruleClassifier("dense(16) then relu", epochs=15))
    search = GridSearchCV(
        pipeline, {"chainruleclassifier__optimizer": ["adam(lr=0.02)", "adam(lr=1e-7)"]}, cv=3, n_jobs=2
    )
    search.fit(x, names)
    assert search.best_params_ == {"chainruleclassifier__optimizer": "adam(lr=0.02)"}
    assert search.best_score_ > 0.9
    assert search.score(x, names) > 0.9
    best = search.best_estimator_
    assert list(best.classes_) == ["setosa", "versicolor", "virginica"] and best.n_features_in_ == 4
    probabilities = best.predict_proba(x)
    assert numpy.abs(probabilities.sum(axis=1) - 1).max() < 1e-5
    assert (best.classes_[probabilities.argmax(axis=1)] == best.predict(x)).all()


def test_a_regressor_is_scored():
    x, y = load_diabetes(return_X_y=True)
    regressor = make_pipeline(StandardScaler(), ChainruleRegressor("dense(16) then tanh", epochs=20))
    assert cross_val_score(regressor, x, y, cv=3).min() > 0.3
    two = ChainruleRegressor("dense(16) then tanh", epochs=3).fit(x, numpy.stack([y, -y], axis=1))
    assert two.predict(x).shape == (len(x), 2)
    plain = ChainruleRegressor("", epochs=3, scale_targets=False).fit(x, y)
    assert plain.model_.size == 11


def test_estimators_are_cloned_and_pickled():
    x, y = load_iris(return_X_y=True)
    classifier = ChainruleClassifier("dense(8) then relu", epochs=2, schedule="cosine", random_state=4).fit(x, y)
    other = clone(classifier)
    assert other.get_params() == classifier.get_params() and not hasattr(other, "model_")
    assert other.set_params(epochs=3).epochs == 3
    again = pickle.loads(pickle.dumps(classifier))
    assert (again.predict_proba(x) == classifier.predict_proba(x)).all()
    repeated = clone(classifier).fit(x, y)
    assert repeated.model_.parameters_sha256() == classifier.model_.parameters_sha256()


def test_a_training_is_stopped_early():
    x, y = load_iris(return_X_y=True)
    classifier = ChainruleClassifier("dense(32) then relu", epochs=400, optimizer="adam(lr=0.05)")
    classifier.set_params(validation_share=0.3, patience=5).fit(x, y)
    assert classifier.n_iter_ < 400 and len(classifier.history_["validation_loss"]) == classifier.n_iter_
    assert classifier.score(x, y) > 0.9
