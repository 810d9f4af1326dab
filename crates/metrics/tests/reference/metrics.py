"""Values of metrics by scikit-learn, torchmetrics, SciPy and Keras, for random cases.

    KERAS_BACKEND=torch python metrics.py

writes metrics.json beside it. Made with Python 3.11, numpy 2.4.6, scipy 1.17.1, scikit-learn 1.9.1, torch 2.15.0,
torchmetrics 1.9.0 and keras 3.15.1.

A case is a batch of outputs and targets, and for each metric, in the text form of its description, the value: a number, a
list with a number for each class, a list of the rows of a table, or the word "undefined". Outputs are multiples of 1/64 or
1/256, which both precisions hold, and among which some are equal.
"""

import json
import math
import os
import warnings

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import scipy.stats
import sklearn.calibration as skc
import sklearn.metrics as sk
import torch
import torchmetrics.functional as tm
import torchmetrics.functional.classification as tmc
from scipy.special import expit, log_softmax, softmax

warnings.filterwarnings("ignore")
keras.config.set_floatx("float64")
torch.set_default_dtype(torch.float64)
rng = np.random.default_rng(12)
UNDEFINED = "undefined"


def number(value):
    value = float(value)
    return UNDEFINED if math.isnan(value) else value


def vector(values):
    return [number(value) for value in np.asarray(values)]


def logits(*shape):
    return np.round(rng.normal(0, 2, shape) * 64) / 64


def probabilities(*shape):
    return rng.integers(1, 256, shape) / 256


def text(name, **settings):
    words = {True: "true", False: "false", None: "none"}
    shown = [f"{key}={words.get(value, value) if isinstance(value, (bool, type(None))) else value}" for key, value in settings.items()]
    return f"{name}({', '.join(shown)})" if shown else name


AVERAGES = {"macro": "macro", "micro": "micro", "weighted": "weighted", "per_class": None}
AVERAGED = {
    "precision": sk.precision_score,
    "recall": sk.recall_score,
    "f1": sk.f1_score,
    "jaccard": sk.jaccard_score,
}


def without_samples(values, truth, weight, average):
    """Whether none of the classes that have a figure occurs, so that they have no mean by how often they do."""
    ones = truth if truth.ndim == 2 else np.eye(len(values))[truth]
    support = (ones * (np.ones(len(truth)) if weight is None else weight)[:, None]).sum(0)
    return average == "weighted" and support[~np.isnan(values)].sum() == 0


def averaged(expected, truth, found, settings, weight=None, labels=None):
    """The figures that scikit-learn has: with undefined classes left out, or counting as 0."""
    for name, function in AVERAGED.items():
        for average, theirs in AVERAGES.items():
            for zero in [None, 0]:
                # Its Jaccard index has no such average.
                if name == "jaccard" and zero is None:
                    continue
                division = np.nan if zero is None else 0.0
                arguments = {"zero_division": division, "sample_weight": weight, "labels": labels}
                value = function(truth, found, average=theirs, **arguments)
                if without_samples(function(truth, found, average=None, **arguments), truth, weight, average):
                    value = math.nan
                expected[text(name, average=average, zero_division=zero, **settings)] = (
                    vector(value) if theirs is None else number(value)
                )
    for average, theirs in AVERAGES.items():
        arguments = {"beta": 0.5, "zero_division": 0.0, "sample_weight": weight, "labels": labels}
        value = sk.fbeta_score(truth, found, average=theirs, **arguments)
        if without_samples(sk.fbeta_score(truth, found, average=None, **arguments), truth, weight, average):
            value = math.nan
        expected[text("f_beta", beta=0.5, average=average, zero_division=0, **settings)] = (
            vector(value) if theirs is None else number(value)
        )


def fixed(case, expected, kind, **arguments):
    """The operating points of torchmetrics, where a point exists."""
    for name, function, key in [
        ("precision_at_recall", tmc.binary_precision_at_fixed_recall, "min_recall"),
        ("recall_at_precision", tmc.binary_recall_at_fixed_precision, "min_precision"),
        ("sensitivity_at_specificity", tmc.binary_sensitivity_at_specificity, "min_specificity"),
        ("specificity_at_sensitivity", tmc.binary_specificity_at_sensitivity, "min_sensitivity"),
    ]:
        for bound in [0.25, 0.75, 1.0]:
            value, threshold = function(torch.tensor(arguments["p"]), torch.tensor(arguments["t"]), bound)
            # Where no threshold has the precision, it says 0.
            if name == "recall_at_precision" and value == 0:
                value = math.nan
            expected[text(name, **{key[4:]: bound}, from_logits=False)] = number(value)


def binary(rows, weighted, one_class=False):
    p = probabilities(rows, 1)
    truth = rng.integers(0, 2, rows)
    if one_class:
        truth[:] = rng.integers(0, 2)
    weight = rng.integers(1, 5, rows) / 2 if weighted else None
    found = (p[:, 0] > 0.5).astype(int)
    settings = {"from_logits": False}
    expected = {}
    both = len(set(truth)) == 2
    expected[text("accuracy", **settings)] = number(sk.accuracy_score(truth, found, sample_weight=weight))
    expected[text("hamming_distance", **settings)] = number(sk.hamming_loss(truth, found, sample_weight=weight))
    expected[text("balanced_accuracy", **settings)] = number(sk.balanced_accuracy_score(truth, found, sample_weight=weight))
    matrix = sk.confusion_matrix(truth, found, labels=[0, 1], sample_weight=weight)
    expected[text("confusion_matrix", **settings)] = matrix.tolist()
    tn, fp, fn, tp = (float(count) for count in matrix.ravel())
    expected[text("specificity", **settings)] = tn / (tn + fp) if tn + fp else UNDEFINED
    expected[text("negative_predictive_value", **settings)] = tn / (tn + fn) if tn + fn else UNDEFINED
    expected[text("dice", **settings)] = 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else UNDEFINED
    for name, function in AVERAGED.items():
        if name != "jaccard" or tp + fp + fn:
            value = function(truth, found, zero_division=np.nan if name != "jaccard" else 0.0, sample_weight=weight)
            expected[text(name, **settings)] = number(value)
    if both and len(set(found)) == 2:
        expected[text("matthews_correlation", **settings)] = number(sk.matthews_corrcoef(truth, found, sample_weight=weight))
        for weights, theirs in [("equal", None), ("linear", "linear"), ("quadratic", "quadratic")]:
            value = sk.cohen_kappa_score(truth, found, weights=theirs, sample_weight=weight)
            expected[text("cohen_kappa", weights=weights, **settings)] = number(value)
    elif not both:
        expected[text("matthews_correlation", **settings)] = UNDEFINED
    expected[text("log_loss", **settings)] = number(sk.log_loss(truth, p[:, 0], labels=[0, 1], sample_weight=weight))
    expected[text("brier_score", **settings)] = number(sk.brier_score_loss(truth, p[:, 0], labels=[0, 1], sample_weight=weight))
    if both:
        expected["auroc"] = number(sk.roc_auc_score(truth, p[:, 0], sample_weight=weight))
        for part in [0.1, 0.5]:
            value = sk.roc_auc_score(truth, p[:, 0], max_fpr=part, sample_weight=weight)
            expected[text("auroc", max_fpr=part)] = number(value)
        expected["average_precision"] = number(sk.average_precision_score(truth, p[:, 0], sample_weight=weight))
        if rows < 30:
            x, y, thresholds = sk.roc_curve(truth, p[:, 0], sample_weight=weight)
            table = [["inf" if math.isinf(row[0]) else row[0], row[1], row[2]] for row in zip(thresholds, x, y)]
            expected["roc_curve"] = [[value if value == "inf" else float(value) for value in row] for row in table]
            y, x, thresholds = sk.precision_recall_curve(truth, p[:, 0], sample_weight=weight)
            table = [["inf", 0.0, 1.0]]
            table += [[float(value) for value in row] for row in zip(thresholds, x, y)][::-1]
            expected["precision_recall_curve"] = table
    else:
        expected["auroc"] = UNDEFINED
        expected["roc_curve"] = UNDEFINED
        expected["average_precision"] = 1.0 if truth[0] else UNDEFINED
    if both and not weighted:
        fixed(None, expected, "binary", p=p[:, 0], t=truth)
        for count in [5, 50]:
            scores, truths = torch.tensor(p[:, 0]), torch.tensor(truth)
            value = tmc.binary_auroc(scores, truths, thresholds=count)
            expected[text("auroc", thresholds=count, **settings)] = number(value)
            value = tmc.binary_average_precision(scores, truths, thresholds=count)
            expected[text("average_precision", thresholds=count, **settings)] = number(value)
        for norm in ["l1", "l2", "max"]:
            value = tmc.binary_calibration_error(torch.tensor(p[:, 0]), torch.tensor(truth), n_bins=10, norm=norm)
            expected[text("calibration_error", bins=10, norm=norm, **settings)] = number(value)
    return {"kind": "binary", "y": p, "t": truth, "w": weight, "expected": expected}


def classes(rows, count, weighted, missing=False):
    z = logits(rows, count)
    truth = rng.integers(0, count - 1 if missing else count, rows)
    weight = rng.integers(1, 5, rows) / 2 if weighted else None
    found = z.argmax(1)
    p = softmax(z, 1)
    labels = list(range(count))
    expected = {}
    averaged(expected, truth, found, {}, weight, labels)
    expected["accuracy"] = number(sk.accuracy_score(truth, found, sample_weight=weight))
    expected["hamming_distance"] = number(sk.hamming_loss(truth, found, sample_weight=weight))
    expected["balanced_accuracy"] = number(sk.balanced_accuracy_score(truth, found, sample_weight=weight))
    if len(set(truth)) > 1:
        value = sk.balanced_accuracy_score(truth, found, adjusted=True, sample_weight=weight)
        expected[text("balanced_accuracy", adjusted=True)] = number(value)
    for normalize, theirs in [("never", None), ("rows", "true"), ("columns", "pred"), ("all", "all")]:
        matrix = sk.confusion_matrix(truth, found, labels=labels, normalize=theirs, sample_weight=weight)
        # A class without samples has a row or a column of 0 there.
        if theirs in [None, "all"] or (matrix.sum(1) > 0).all() and (matrix.sum(0) > 0).all():
            expected[text("confusion_matrix", normalize=normalize)] = matrix.tolist()
    if len(set(truth)) > 1 and len(set(found)) > 1:
        expected["matthews_correlation"] = number(sk.matthews_corrcoef(truth, found, sample_weight=weight))
        for weights, theirs in [("equal", None), ("linear", "linear"), ("quadratic", "quadratic")]:
            value = sk.cohen_kappa_score(truth, found, labels=labels, weights=theirs, sample_weight=weight)
            expected[text("cohen_kappa", weights=weights)] = number(value)
    expected["log_loss"] = number(-np.average(log_softmax(z, 1)[np.arange(rows), truth], weights=weight))
    expected["brier_score"] = number(np.average(((p - np.eye(count)[truth]) ** 2).sum(1), weights=weight))
    for k in range(1, count):
        value = keras.ops.convert_to_numpy(keras.metrics.sparse_top_k_categorical_accuracy(truth, z, k=k))
        # Equal outputs make a difference there.
        if all(len(set(row)) == count for row in z):
            expected[text("top_k_accuracy", k=k)] = number(np.average(value, weights=weight))
    hot = np.eye(count)[truth].astype(int)
    if len(set(truth)) == count:
        for average, theirs in AVERAGES.items():
            value = sk.roc_auc_score(hot, p, average=theirs, sample_weight=weight)
            expected[text("auroc", average=average)] = vector(value) if theirs is None else number(value)
            value = sk.average_precision_score(hot, p, average=theirs, sample_weight=weight)
            expected[text("average_precision", average=average)] = vector(value) if theirs is None else number(value)
    elif len(set(truth)) > 1:
        values = []
        for column in range(count):
            found_one = hot[:, column].any()
            values.append(number(sk.roc_auc_score(hot[:, column], p[:, column], sample_weight=weight)) if found_one else UNDEFINED)
        expected[text("auroc", average="per_class")] = values
        defined = [value for value in values if value != UNDEFINED]
        expected["auroc"] = float(np.mean(defined))
    if not weighted:
        scores, truths = torch.tensor(p), torch.tensor(truth)
        for average, theirs in AVERAGES.items():
            value = tmc.multiclass_specificity(torch.tensor(z), truths, count, average=theirs or "none")
            if not missing and len(set(truth)) == count and len(set(found)) == count:
                expected[text("specificity", average=average)] = vector(value) if theirs is None else number(value)
        for norm in ["l1", "l2", "max"]:
            value = tmc.multiclass_calibration_error(scores, truths, count, n_bins=10, norm=norm)
            expected[text("calibration_error", bins=10, norm=norm)] = number(value)
        if len(set(truth)) == count:
            for thresholds in [7, 40]:
                value = tmc.multiclass_auroc(scores, truths, count, average="none", thresholds=thresholds)
                expected[text("auroc", average="per_class", thresholds=thresholds)] = vector(value)
        for k in [2, 3]:
            if k < count and all(len(set(row)) == count for row in z) and len(set(truth)) == count:
                for average, theirs in AVERAGES.items():
                    value = tmc.multiclass_recall(torch.tensor(z), truths, count, average=theirs or "none", top_k=k)
                    expected[text("recall", average=average, top_k=k)] = vector(value) if theirs is None else number(value)
    return {"kind": "classes", "y": z, "t": truth, "w": weight, "expected": expected}


def labels(rows, count, weighted, empty=False):
    p = probabilities(rows, count)
    truth = rng.integers(0, 2, (rows, count))
    if empty:
        truth[:, 0] = 0
    weight = rng.integers(1, 5, rows) / 2 if weighted else None
    found = (p > 0.5).astype(int)
    settings = {"labels": True, "from_logits": False}
    expected = {}
    averaged(expected, truth, found, settings, weight)
    expected[text("exact_match", from_logits=False)] = number(sk.accuracy_score(truth, found, sample_weight=weight))
    value = sk.hamming_loss(truth, found, sample_weight=weight)
    expected[text("hamming_distance", **settings)] = number(value)
    expected[text("binary_accuracy", from_logits=False)] = 1 - number(value)
    expected[text("accuracy", **settings)] = 1 - number(value)
    if not weighted:
        value = keras.ops.convert_to_numpy(keras.metrics.binary_accuracy(truth, p)).mean()
        expected[text("binary_accuracy", from_logits=False, threshold=0.5)] = number(value)
        scores, truths = torch.tensor(p), torch.tensor(truth)
        value = tmc.multilabel_matthews_corrcoef(scores, truths, count)
        if truth.any() and not truth.all() and found.any() and not found.all():
            expected[text("matthews_correlation", **settings)] = number(value)
        # A label that all samples have counts as 0 there.
        if not empty and not truth.all(0).any():
            for average, theirs in AVERAGES.items():
                value = tmc.multilabel_specificity(scores, truths, count, average=theirs or "none")
                expected[text("specificity", average=average, **settings)] = vector(value) if theirs is None else number(value)
    ones = truth.sum(0)
    if (ones > 0).all() and (ones < rows).all():
        for average, theirs in AVERAGES.items():
            value = sk.roc_auc_score(truth, p, average=theirs, sample_weight=weight)
            expected[text("auroc", average=average, **settings)] = vector(value) if theirs is None else number(value)
            value = sk.average_precision_score(truth, p, average=theirs, sample_weight=weight)
            expected[text("average_precision", average=average, **settings)] = vector(value) if theirs is None else number(value)
    losses = np.mean(-(truth * np.log(p) + (1 - truth) * np.log(1 - p)), axis=1)
    expected[text("log_loss", **settings)] = number(np.average(losses, weights=weight))
    return {"kind": "labels", "y": p, "t": truth, "w": weight, "expected": expected}


def by_output(expected, name, function, truth, y, weight, **settings):
    value = function(truth, y, sample_weight=weight, multioutput="raw_values")
    expected[text(name, multioutput="raw_values", **settings)] = vector(value)
    value = function(truth, y, sample_weight=weight, multioutput="uniform_average")
    expected[text(name, multioutput="uniform_average", **settings)] = number(value)


def values(rows, columns, weighted, positive):
    shift = float(rng.choice([0, 3, 1000]))
    truth = logits(rows, columns) + shift
    y = truth + np.round(rng.normal(0, 1, truth.shape) * 64) / 64
    if positive:
        truth, y = np.abs(truth), np.abs(y) + 1 / 64
    weight = rng.integers(1, 5, rows) / 2 if weighted else None
    expected = {}
    by_output(expected, "mean_squared_error", sk.mean_squared_error, truth, y, weight)
    by_output(expected, "root_mean_squared_error", sk.root_mean_squared_error, truth, y, weight)
    by_output(expected, "mean_absolute_error", sk.mean_absolute_error, truth, y, weight)
    by_output(expected, "r2", sk.r2_score, truth, y, weight)
    by_output(expected, "explained_variance", sk.explained_variance_score, truth, y, weight)
    value = sk.r2_score(truth, y, sample_weight=weight, multioutput="variance_weighted")
    expected[text("r2", multioutput="variance_weighted")] = number(value)
    value = np.average(((y - truth) ** 2).mean(1), weights=weight)
    expected["mean_squared_error"] = number(value)
    expected["root_mean_squared_error"] = number(math.sqrt(value))
    if positive:
        by_output(expected, "mean_squared_log_error", sk.mean_squared_log_error, truth, y, weight)
    if positive and columns == 1:
        # Some counts are 0, which not every power allows.
        zeros = rows % 2 == 0
        truth[0] = 0.0 if zeros else 2.0
        expected = {}
        if zeros:
            expected["poisson_deviance"] = number(sk.mean_poisson_deviance(truth[:, 0], y[:, 0], sample_weight=weight))
        else:
            truth[truth == 0] = 1.0
        for power in [-1.5, 0, 1, 1.5] if zeros else [-0.5, 0, 1, 1.2, 2, 3.5]:
            value = sk.mean_tweedie_deviance(truth[:, 0], y[:, 0], power=power, sample_weight=weight)
            expected[text("tweedie_deviance", power=power)] = number(value)
    if not weighted:
        a, b = torch.tensor(y), torch.tensor(truth)
        expected["mean_absolute_percentage_error"] = number(tm.mean_absolute_percentage_error(a, b))
        expected["symmetric_mean_absolute_percentage_error"] = number(tm.symmetric_mean_absolute_percentage_error(a, b))
        expected["log_cosh"] = number(keras.ops.convert_to_numpy(keras.losses.log_cosh(truth, y)).mean())
        expected["cosine_similarity"] = number(torch.nn.functional.cosine_similarity(a, b, 1).mean())
        pearson = [scipy.stats.pearsonr(y[:, column], truth[:, column])[0] for column in range(columns)]
        expected[text("pearson_correlation", multioutput="raw_values")] = vector(pearson)
        expected["pearson_correlation"] = number(np.mean(pearson))
        spearman = [scipy.stats.spearmanr(y[:, column], truth[:, column])[0] for column in range(columns)]
        expected[text("spearman_correlation", multioutput="raw_values")] = vector(spearman)
        for variant in "bc":
            kendall = [
                scipy.stats.kendalltau(y[:, column], truth[:, column], variant=variant)[0] for column in range(columns)
            ]
            expected[text("kendall_correlation", variant=variant, multioutput="raw_values")] = vector(kendall)
        value = tm.kendall_rank_corrcoef(a[:, 0], b[:, 0], variant="a")
        if columns == 1 and len(set(y[:, 0])) == len(set(truth[:, 0])) == rows:
            expected[text("kendall_correlation", variant="a")] = number(value)
        concordance = []
        for column in range(columns):
            c = np.cov(y[:, column], truth[:, column])
            apart = y[:, column].mean() - truth[:, column].mean()
            concordance.append(2 * c[0, 1] / (c[0, 0] + c[1, 1] + apart**2))
        expected[text("concordance_correlation", multioutput="raw_values")] = vector(concordance)
        if columns == 1 and rows > 4:
            expected[text("r2", adjusted=2)] = number(tm.r2_score(a[:, 0], b[:, 0], adjusted=2))
    expected["mean"] = number(np.average(y.mean(1), weights=weight))
    expected["sum"] = number((y * (np.ones(rows) if weight is None else weight)[:, None]).sum())
    return {"kind": "values", "y": y, "t": truth, "w": weight, "expected": expected}


def compact(case):
    def plain(value):
        if value is None:
            return None
        return [plain(item) if isinstance(item, np.ndarray) else (int(item) if float(item).is_integer() else float(item)) for item in value]

    # The same value under two texts once.
    return {"kind": case["kind"], "y": plain(case["y"]), "t": plain(case["t"]), "w": plain(case["w"]), "expected": case["expected"]}


cases = []
for index in range(70):
    cases.append(binary(int(rng.integers(2, 60)), index % 3 == 2, one_class=index % 10 == 9))
for index in range(70):
    cases.append(classes(int(rng.integers(3, 50)), int(rng.integers(2, 6)), index % 3 == 2, missing=index % 7 == 6))
for index in range(40):
    cases.append(labels(int(rng.integers(2, 40)), int(rng.integers(2, 5)), index % 3 == 2, empty=index % 7 == 6))
for index in range(80):
    cases.append(values(int(rng.integers(3, 40)), int(rng.integers(1, 4)), index % 3 == 2, index % 2 == 1))

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "metrics.json"), "w", encoding="utf-8") as file:
    lines = [json.dumps(compact(case), separators=(",", ":")) for case in cases]
    file.write("[\n" + ",\n".join(lines) + "\n]\n")
print(len(cases), "cases,", sum(len(case["expected"]) for case in cases), "values")
