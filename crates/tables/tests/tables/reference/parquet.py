"""Writes Parquet files into parquet/, and parquet.json: what pandas reads from them.

Run with pandas 3.1.1 and pyarrow 26.0.1, in this directory:

    python parquet.py

All files but the last ones hold one table, written in different ways. A value is null if it is missing, else a text: that of a number
is the shortest that gives it back in double precision. A date is the number of days since 1970-01-01, a time of the day a fraction of
it.
"""

import datetime
import decimal
import json
import math
import pathlib

import numpy
import pandas
import pyarrow
import pyarrow.parquet

ROWS = 150
HERE = pathlib.Path(__file__).parent
DAY = 86_400 * 10**9


def table():
    random = numpy.random.default_rng(7)
    missing = random.random(ROWS) < 0.2

    def some(values, type=None):
        return pyarrow.array([None if gone else value for gone, value in zip(missing, values)], type)

    whole = random.integers(-(2**31), 2**31, ROWS)
    large = random.integers(-(2**62), 2**62, ROWS)
    reals = random.standard_normal(ROWS) * 10.0 ** random.integers(-20, 20, ROWS)
    words = [["oak", "elm", "ash", "", "Äpfel \"x\", 1"][index] for index in random.integers(0, 5, ROWS)]
    stamps = random.integers(-(10**18), 2 * 10**18, ROWS)
    return pyarrow.table(
        {
            "row": pyarrow.array(range(ROWS), "int64"),
            "small": pyarrow.array(whole % 100 - 50, "int8"),
            "whole": some(whole, "int32"),
            "large": some(large, "int64"),
            "unsigned": pyarrow.array(whole + 2**31, "uint32"),
            "huge": pyarrow.array([int(value) + 2**63 for value in large], "uint64"),
            "half": pyarrow.array(numpy.float16(reals.clip(-9, 9)), "float16"),
            "single": some([float(numpy.float32(value)) for value in reals], "float32"),
            "double": pyarrow.array([math.nan if row % 17 == 3 else value for row, value in enumerate(reals)], "float64"),
            "yes": pyarrow.array(whole % 3 == 0, "bool"),
            "maybe": some([bool(value) for value in large % 2], "bool"),
            "word": some(words, "string"),
            "category": pyarrow.array(words, "string").dictionary_encode(),
            "path": pyarrow.array([f"/data/{row // 7}/part {row:05}" for row in range(ROWS)], "string"),
            "day": some([datetime.date(1900, 1, 1) + datetime.timedelta(int(value) % 60_000) for value in large], "date32"),
            "clock": pyarrow.array([datetime.time(int(value) % 24, int(value) % 60, int(value) % 59, int(value) % 10**6) for value in large % 10**9], "time64[us]"),
            "stamp": some([int(value) // 1000 for value in stamps], pyarrow.timestamp("us")),
            "zoned": pyarrow.array([int(value) // 10**6 for value in stamps], pyarrow.timestamp("ms", "Europe/Berlin")),
            "exact": some([int(value) for value in stamps], pyarrow.timestamp("ns")),
            "price": some([decimal.Decimal(int(value)).scaleb(-2) for value in whole], pyarrow.decimal128(12, 2)),
            "precise": pyarrow.array([decimal.Decimal(int(value)).scaleb(-7) for value in large], pyarrow.decimal128(30, 7)),
            "none": pyarrow.array([None] * ROWS, "float64"),
        }
    )


def told():
    """Values that tell apart what a column is read as."""
    return pyarrow.table(
        {
            "whole": pyarrow.array([2**53, 2**53 + 1, 0, None, 2**53], "int64"),
            "unsigned": pyarrow.array([2**64 - 1, 2**64 - 2, 0, None, 2**64 - 1], "uint64"),
            "number": pyarrow.array([decimal.Decimal(10**17), decimal.Decimal(10**17 + 1), decimal.Decimal(0), None, decimal.Decimal(-7)], pyarrow.decimal128(18, 0)),
            "single": pyarrow.array([0.1, -2.5, -0.0, None, math.nan], "float32"),
            "double": pyarrow.array([0.1, -2.5, 0.0, None, math.nan], "float64"),
            "yes": pyarrow.array([True, False, False, None, True], "bool"),
            "day": pyarrow.array([datetime.date(1970, 1, 1), datetime.date(1970, 1, 2), None, None, datetime.date(1969, 1, 1)], "date32"),
            "clock": pyarrow.array([datetime.time(0), datetime.time(6), None, None, datetime.time(12)], "time64[us]"),
        }
    )


def write(name, content, **options):
    options = {"write_statistics": False, "store_schema": False} | options
    pyarrow.parquet.write_table(content, HERE / "parquet" / f"{name}.parquet", **options)


def value(found):
    """A value as chainrule stores it, as a text."""
    if found is None or found is pandas.NaT or found is pandas.NA or (isinstance(found, float) and math.isnan(found)):
        return None
    if isinstance(found, pandas.Timestamp):
        days, rest = divmod(found.value, DAY) if found.unit == "ns" else divmod(found.as_unit("ns").value, DAY)
        return repr(days + rest / DAY)
    if isinstance(found, datetime.date):
        return repr(float((found - datetime.date(1970, 1, 1)).days))
    if isinstance(found, datetime.time):
        seconds = found.hour * 3600 + found.minute * 60 + found.second
        return repr((seconds * 10**6 + found.microsecond) / (DAY // 1000))
    if isinstance(found, str):
        return found
    return repr(float(found))


def seeds(content):
    """Small files for the fuzzer, after a byte that says what the reader is told."""
    small = content.slice(0, 12).rename_columns([name[:1] + str(index) for index, name in enumerate(content.column_names)])
    small = small.rename_columns(["a", *small.column_names[1:]])
    directory = HERE.parents[4] / "fuzz" / "seeds" / "parquet"
    directory.mkdir(exist_ok=True)
    options = {
        "numbers": (0, ["a", "w2", "l3", "u4", "h6", "s7", "d8"], {"compression": "snappy"}),
        "texts": (3, ["a", "w11", "c12", "p13"], {"compression": "gzip", "data_page_version": "2.0"}),
        "dates": (1, ["a", "d14", "c15", "s16", "z17", "e18"], {"compression": "zstd", "row_group_size": 7}),
        "old": (0, ["a", "y9", "m10", "s16"], {"version": "1.0", "use_deprecated_int96_timestamps": True}),
        "decimals": (5, ["a", "p19", "p20", "n21"], {"use_dictionary": False}),
        "encodings": (
            0,
            ["a", "s7", "w11", "p13", "y9"],
            {
                "use_dictionary": False,
                "column_encoding": {
                    "a": "DELTA_BINARY_PACKED",
                    "s7": "BYTE_STREAM_SPLIT",
                    "w11": "DELTA_LENGTH_BYTE_ARRAY",
                    "p13": "DELTA_BYTE_ARRAY",
                    "y9": "RLE",
                },
            },
        ),
    }
    for name, (told, columns, how) in options.items():
        sink = pyarrow.BufferOutputStream()
        how = {"write_statistics": False, "store_schema": False} | how
        pyarrow.parquet.write_table(small.select(columns), sink, **how)
        (directory / name).write_bytes(bytes([told]) + sink.getvalue().to_pybytes())


def main():
    content = table()
    (HERE / "parquet").mkdir(exist_ok=True)
    plain = {"use_dictionary": False, "compression": "none"}
    encoded = {
        "row": "DELTA_BINARY_PACKED",
        "whole": "DELTA_BINARY_PACKED",
        "large": "DELTA_BINARY_PACKED",
        "single": "BYTE_STREAM_SPLIT",
        "double": "BYTE_STREAM_SPLIT",
        "word": "DELTA_LENGTH_BYTE_ARRAY",
        "path": "DELTA_BYTE_ARRAY",
        "stamp": "DELTA_BINARY_PACKED",
        "precise": "DELTA_BYTE_ARRAY",
        "yes": "RLE",
    }
    write("snappy", content)
    write("plain", content, **plain)
    write("gzip_pages", content, compression="gzip", data_page_version="2.0", data_page_size=200, write_batch_size=20)
    write("groups", content, row_group_size=47, compression="none", data_page_version="2.0")
    write("encodings", content, **plain, column_encoding=encoded)
    write("zstd", content, compression="zstd", data_page_version="2.0")
    write("old", content, version="1.0", use_deprecated_int96_timestamps=True)
    expected = {}
    names = ["snappy", "plain", "gzip_pages", "groups", "encodings", "zstd", "old"]
    for name in names:
        read = pandas.read_parquet(HERE / "parquet" / f"{name}.parquet")
        found = {column: [value(item) for item in read[column]] for column in read.columns}
        # Without the types of NumPy, in which pandas has no missing whole numbers of more than 53 bits.
        exact = pyarrow.parquet.read_table(HERE / "parquet" / f"{name}.parquet")
        for column in ["large", "whole"]:
            found[column] = [value(item) for item in exact[column].to_pylist()]
        if name == "old":
            # Version 1.0 has no unsigned numbers of 32 bits, and no nanoseconds but these.
            assert found == expected, [column for column in found if found[column] != expected[column]]
        expected = expected or found
        assert found == expected, name
    (HERE / "parquet.json").write_text(json.dumps({"files": names, "columns": expected}, separators=(",", ":")) + "\n")
    nested = pyarrow.table(
        {
            "a": pyarrow.array([{"b": 1, "c": "x"}, None, {"b": None, "c": "y"}]),
            "list": pyarrow.array([[1, 2], [], None], pyarrow.list_(pyarrow.int64())),
        }
    )
    write("nested", nested.select(["a"]))
    write("list", nested)
    write("brotli", nested.select(["a"]), compression="brotli")
    frame = pandas.DataFrame({"x": [1.5, 2.5]}, index=["first", "second"])
    frame.to_parquet(HERE / "parquet" / "index.parquet")
    # The dictionary of the file has all the categories, and the rows have three of them.
    categories = pandas.Categorical.from_codes([7, 41, 0, 7, 7, -1, 41, 0, 7, 7], [f"kind {code}" for code in range(50)])
    write("categories", pyarrow.Table.from_pandas(pandas.DataFrame({"kind": categories})))
    write("told", told())
    seeds(content)


main()
