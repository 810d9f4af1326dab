"""Writes reference.txt: the folds and class weights of scikit-learn for small data sets.

Run with scikit-learn 1.9.1 and numpy 2.4.6:

    python reference.py > reference.txt

A line is the kind, the number of folds, the labels, and the fold in which each sample is tested on, or the weights.
"""

import numpy
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold
from sklearn.utils.class_weight import compute_class_weight

RANDOM = numpy.random.default_rng(3)


def line(kind, folds, labels, splitter):
    fold_of = numpy.zeros(len(labels), dtype=int)
    for fold, (_, test) in enumerate(splitter.split(numpy.zeros(len(labels)), labels, labels)):
        fold_of[test] = fold
    print(kind, folds, ",".join(map(str, labels)), ",".join(map(str, fold_of)))


for samples, folds in [(10, 5), (11, 3), (7, 7), (23, 4), (2, 2)]:
    line("k_fold", folds, list(range(samples)), KFold(folds))
for classes, samples, folds in [(2, 12, 3), (3, 40, 5), (4, 61, 4), (2, 30, 2)]:
    labels = numpy.concatenate([numpy.repeat(numpy.arange(classes), folds), RANDOM.integers(0, classes, samples)])
    RANDOM.shuffle(labels)
    line("stratified", folds, labels.tolist(), StratifiedKFold(folds))
    weights = compute_class_weight("balanced", classes=numpy.arange(classes), y=labels)
    print("weights", classes, ",".join(map(str, labels)), ",".join(repr(float(weight)) for weight in weights))
for groups, samples, folds in [(5, 12, 3), (8, 40, 4), (9, 50, 2)]:
    labels = numpy.concatenate([numpy.arange(groups), RANDOM.integers(0, groups, samples)])
    RANDOM.shuffle(labels)
    line("groups", folds, labels.tolist(), GroupKFold(folds))
