"""Writes pandas.txt: what pandas reads from the CSV files of some Python packages.

Run with pandas 3.1.1, statsmodels 0.15.0, scikit-learn 1.9.1 and vega_datasets 0.9.0:

    python read_with_pandas.py > pandas.txt

A file without a header of its own is read with `header=None`: one whose first line is numbers. OPTIONS has what else a person
has to tell pandas. A line of the output is a file, its rows and columns, and for each column `n` or `t` (numbers or texts), how
many values are missing, and for numbers the FNV-1a hash of their bits in double precision. A table of more than 100 columns has
one hash of all of that instead.
"""

import importlib.util
import os
import sys
import warnings

import numpy
import pandas

warnings.filterwarnings("ignore")

BLANKS = {"sep": r"\s+"}
NO_HEADER = {"header": None}
OPTIONS = {
    "statsmodels/datasets/scotland/src/scotvote.csv": BLANKS,
    "statsmodels/datasets/modechoice/modechoice.csv": {"sep": ";"},
    "statsmodels/datasets/interest_inflation/E6_jmulti.csv": BLANKS | NO_HEADER,
    "statsmodels/datasets/anes96/anes96.csv": {"sep": "\t", "quotechar": "'"},
    "statsmodels/datasets/anes96/src/anes96.csv": BLANKS,
    "statsmodels/datasets/spector/spector.csv": BLANKS | {"quotechar": "'"},
    "statsmodels/discrete/tests/results/phat_mnlogit.csv": BLANKS | NO_HEADER,
    "statsmodels/discrete/tests/results/yhat_mnlogit.csv": BLANKS | NO_HEADER,
    "statsmodels/duration/tests/results/survival_data_1000_10.csv": BLANKS | NO_HEADER,
    "statsmodels/duration/tests/results/survival_data_100_5.csv": BLANKS | NO_HEADER,
    "statsmodels/duration/tests/results/survival_data_20_1.csv": BLANKS | NO_HEADER,
    "statsmodels/duration/tests/results/survival_data_50_1.csv": BLANKS | NO_HEADER,
    "statsmodels/duration/tests/results/survival_data_50_2.csv": BLANKS | NO_HEADER,
    "statsmodels/tsa/vector_ar/tests/Matlab_results/test_coint.csv": BLANKS | NO_HEADER,
    "statsmodels/tsa/tests/results/AROLSConstantPredict.csv": BLANKS | NO_HEADER,
    "statsmodels/tsa/tests/results/AROLSNoConstantPredict.csv": BLANKS | NO_HEADER,
    "statsmodels/genmod/tests/results/iris.csv": NO_HEADER | {"skiprows": 1},
    "sklearn/datasets/data/iris.csv": NO_HEADER | {"skiprows": 1},
    "sklearn/datasets/data/wine_data.csv": NO_HEADER | {"skiprows": 1},
    "sklearn/datasets/data/breast_cancer.csv": NO_HEADER | {"skiprows": 1},
    "sklearn/datasets/data/diabetes_data_raw.csv.gz": BLANKS | NO_HEADER,
    "sklearn/datasets/data/linnerud_exercise.csv": BLANKS,
    "sklearn/datasets/data/linnerud_physiological.csv": BLANKS,
    "statsmodels/datasets/macrodata/src/unemp.csv": {"skiprows": 9},
    "statsmodels/datasets/scotland/src/scotland_population.csv": {"skiprows": 13},
}


def is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def read(path, name):
    options = {"float_precision": "round_trip"}
    given = OPTIONS.get(name)
    if given is not None:
        if "sep" in given:
            # Only the reader in Python takes every separator, and it parses numbers exactly.
            options = {"engine": "python"}
        return pandas.read_csv(path, **options, **given)
    table = pandas.read_csv(path, **options)
    # pandas appends `.1` to names that occur again.
    if all(is_number(column) or is_number(column.rsplit(".", 1)[0]) for column in map(str, table.columns)):
        table = pandas.read_csv(path, header=None, **options)
    return table


def fnv(data, value=0xCBF29CE484222325):
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def hash_of_numbers(numbers):
    numbers = numpy.asarray(numbers, dtype=numpy.float64).copy()
    numbers[numpy.isnan(numbers)] = numpy.nan
    # pandas reads `-0` as a whole number, which has no sign.
    numbers[numbers == 0] = 0
    # Words of 64 bits, not bytes: it is as good, and a hundred times as fast.
    words = numbers.view(numpy.uint64)
    value = 0xCBF29CE484222325
    for word in words.tolist():
        if word & 0x7FF0000000000000 == 0x7FF0000000000000 and word & 0xFFFFFFFFFFFFF:
            word = 0x7FF8000000000000
        value = ((value ^ word) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def column_token(column):
    missing = int(column.isna().sum())
    if pandas.api.types.is_numeric_dtype(column):
        return f"n{missing}:{hash_of_numbers(column.astype('float64')):016x}"
    return f"t{missing}"


def main():
    for package in ["sklearn", "statsmodels", "vega_datasets"]:
        root = os.path.dirname(os.path.dirname(importlib.util.find_spec(package).origin))
        paths = []
        for directory, _, files in os.walk(os.path.join(root, package)):
            paths += [os.path.join(directory, file) for file in files if file.endswith((".csv", ".csv.gz", ".tsv"))]
        for path in sorted(paths):
            name = os.path.relpath(path, root)
            try:
                table = read(path, name)
            except Exception as error:  # pandas raises many types
                print(f"{name}: {error}", file=sys.stderr)
                continue
            rows, columns = table.shape
            tokens = [column_token(table.iloc[:, index]) for index in range(columns)]
            if columns > 100:
                tokens = [f"all:{fnv(' '.join(tokens).encode()):016x}"]
            print(name, rows, columns, *tokens)


main()
