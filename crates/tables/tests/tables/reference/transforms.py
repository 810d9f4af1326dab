"""Writes transforms.json: what scikit-learn's transforms give for small columns.

Run with scikit-learn 1.9.1 and numpy 2.4.6:

    python transforms.py > transforms.json

A case is a transform in chainrule's text form, the columns that it is fitted to and those that it is applied to, and the columns
that scikit-learn gives for these. A missing value is null.
"""

import json

import numpy
from sklearn.decomposition import PCA
from sklearn.feature_extraction import FeatureHasher
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (FunctionTransformer, MinMaxScaler, OneHotEncoder, OrdinalEncoder, RobustScaler,
                                   StandardScaler)

RANDOM = numpy.random.default_rng(7)
NAN = float("nan")

NUMBERS = numpy.column_stack([
    RANDOM.normal(3, 2, 23),
    RANDOM.lognormal(0, 3, 23) * 1e6,
    RANDOM.integers(0, 5, 23).astype(float),
    numpy.full(23, 0.1),
    100 + RANDOM.normal(0, 1, 23),
])
OTHERS = numpy.column_stack([RANDOM.normal(0, 9, 6), RANDOM.lognormal(0, 3, 6), numpy.arange(6.0), numpy.full(6, 0.7),
                             numpy.full(6, 99.0)])
GAPS = NUMBERS.copy()
GAPS[RANDOM.random(GAPS.shape) < 0.2] = NAN
OTHER_GAPS = OTHERS.copy()
OTHER_GAPS[[0, 2, 5], [0, 2, 4]] = NAN
POSITIVE = numpy.abs(NUMBERS[:, :2])

WORDS = numpy.array([["red", "x"], ["green", "z"], ["blue", "x"], ["green", "y"], ["Rot", "x"], ["green", "z"], ["é", "x"]],
                    dtype=object)
OTHER_WORDS = numpy.array([["green", "x"], ["black", "y"], ["é", "q"]], dtype=object)
DIGITS = numpy.array([["10"], ["9"], ["-1"], ["9"], ["2.5"]], dtype=object)
WORD_GAPS = numpy.array([["red", None], ["green", "z"], [None, "x"], ["green", "z"], ["red", "x"]], dtype=object)

CASES = []


def columns(matrix):
    def value(cell):
        return None if cell is None or cell != cell else cell if isinstance(cell, str) else float(cell)

    return [[value(cell) for cell in column] for column in numpy.asarray(matrix, dtype=object).T]


def case(text, transform, fit, apply):
    expected = transform.fit(fit).transform(apply)
    if hasattr(expected, "toarray"):
        expected = expected.toarray()
    CASES.append({"transform": text, "fit": columns(fit), "apply": columns(apply), "expected": columns(expected)})


for fit, apply in [(NUMBERS, NUMBERS), (NUMBERS, OTHERS), (GAPS, OTHER_GAPS)]:
    case("standardise", StandardScaler(), fit, apply)
    case("standardise(centre=false)", StandardScaler(with_mean=False), fit, apply)
    case("standard_scaler(with_std=false)", StandardScaler(with_std=False), fit, apply)
    case("min_max", MinMaxScaler(), fit, apply)
    case("min_max(low=-1, high=2, clip=true)", MinMaxScaler(feature_range=(-1, 2), clip=True), fit, apply)
    case("robust", RobustScaler(), fit, apply)
    case("robust(0.1, 0.9)", RobustScaler(quantile_range=(10, 90)), fit, apply)
for strategy in ["mean", "median", "most_frequent", "constant"]:
    case(f"impute({strategy})", SimpleImputer(strategy=strategy), GAPS, OTHER_GAPS)
case("impute(constant, fill=7.5)", SimpleImputer(strategy="constant", fill_value=7.5), GAPS, OTHER_GAPS)
case("impute(median, indicator=true)", SimpleImputer(strategy="median", add_indicator=True), GAPS, OTHER_GAPS)
case("impute(median, indicator=true) then standardise",
     make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()), GAPS, OTHER_GAPS)
case("log", FunctionTransformer(numpy.log1p), POSITIVE, POSITIVE)
case("log(offset=0) then min_max", make_pipeline(FunctionTransformer(numpy.log), MinMaxScaler()), POSITIVE, POSITIVE)
case("keep", FunctionTransformer(), NUMBERS, OTHERS)
case("impute(most_frequent)", SimpleImputer(strategy="most_frequent", missing_values=None), WORD_GAPS, WORD_GAPS)
case("impute(constant, fill=none_of_them)",
     SimpleImputer(strategy="constant", missing_values=None, fill_value="none_of_them"), WORD_GAPS, WORD_GAPS)
case("one_hot", OneHotEncoder(handle_unknown="ignore"), WORDS, OTHER_WORDS)
case("one_hot(drop=first)", OneHotEncoder(drop="first", handle_unknown="ignore"), WORDS, OTHER_WORDS)
case("one_hot(drop=if_binary)", OneHotEncoder(drop="if_binary"), WORDS[:2], WORDS[:2])
case("one_hot", OneHotEncoder(handle_unknown="ignore"), WORD_GAPS, WORD_GAPS)
case("ordinal", OrdinalEncoder(), WORDS, WORDS)
case("ordinal(unknown=ignore, unknown_value=-5)",
     OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-5), WORDS, OTHER_WORDS)
# Here NaN, and not None, is what scikit-learn takes for missing.
NAN_GAPS = numpy.where(WORD_GAPS == None, NAN, WORD_GAPS)  # noqa: E711
case("ordinal", OrdinalEncoder(), NAN_GAPS, NAN_GAPS)
# The categories are numbers, and so is their order.
CASES.append({"transform": "ordinal", "fit": columns(DIGITS), "apply": columns(DIGITS),
              "expected": columns(OrdinalEncoder().fit_transform(DIGITS.astype(float)))})
for signed in [True, False]:
    for features in [1, 8, 13]:
        rows = [{f"c{index}": word for index, word in enumerate(row)} for row in WORDS]
        expected = FeatureHasher(features, input_type="dict", alternate_sign=signed).transform(rows).toarray()
        CASES.append({"transform": f"hashing({features}, signed={str(signed).lower()})", "fit": columns(WORDS),
                      "apply": columns(WORDS), "expected": columns(expected)})

# Columns that go with each other. These take LAPACK.
MIXED = numpy.random.default_rng(8).normal(0, 1, (40, 4)) @ numpy.random.default_rng(9).normal(0, 1, (4, 4)) + [1, -2, 0.5, 30]


class Whitening(PCA):
    """y = (x - mean) U diag(1 / sqrt(variance + epsilon)) U'"""

    def transform(self, x):
        factors = 1 / numpy.sqrt(self.explained_variance_ + 1e-5)
        return (x - self.mean_) @ self.components_.T * factors @ self.components_


for text, transform in [("principal_components", PCA()), ("principal_components(2)", PCA(2)),
                        ("principal_components(3, whiten=true)", PCA(3, whiten=True)), ("whiten", Whitening()),
                        ("standardise then principal_components(2)", make_pipeline(StandardScaler(), PCA(2)))]:
    case(text, transform, MIXED, MIXED[::3] + 0.1)
    CASES[-1]["needs"] = "lapack"

print(json.dumps(CASES, separators=(",", ":"), ensure_ascii=False))
