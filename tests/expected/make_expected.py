#!/usr/bin/env python3
"""Compute what Weir should release over examples/flights/flights.parquet, with DuckDB instead of Weir.

    pip install -r requirements.txt
    python make_expected.py            # write the CSV files beside this script
    python make_expected.py --check    # compute them again and compare, writing nothing

Nothing here is shared with Weir but the file of flights: the two example models are written again in SQL, units are
counted with COUNT(DISTINCT), and HAVING is applied to released cells by a plain WHERE.

A cell is judged on its weakest number: units and rows are counted for the cell as a whole and again among the rows
that contribute a value to each aggregate, and the smallest counts. A mean over a column that is null for all but one
unit is that unit's value, however many units the cell has.
"""

import argparse
import csv
import io
import itertools
import pathlib
import sys

import duckdb

HERE = pathlib.Path(__file__).resolve().parent
FLIGHTS = HERE.parent.parent / "examples" / "flights" / "flights.parquet"
PINNED = HERE / "requirements.txt"

# The default policy: a cell is released when it has at least so many units and so many rows.
UNITS_MIN = 10
ROWS_MIN = 10
# And for each sum and mean: the two largest contributions are less than this share of all of them, and what is left
# without them is at least this part of the largest. A contribution is the absolute value of a unit's own sum.
TOP2_SHARE_MAX = 0.90
P_RATIO_MIN = 0.10
# And in every margin of a cell (what is left when keys are dropped) the units with a row outside the cell are none or at
# least so many: otherwise the margin minus the cell is about these few.
COMPLEMENT_UNITS_MIN = 10

# Rows without a unit belong to nobody and are left out before anything else.
FLIGHTS_SQL = f"CREATE VIEW flights AS SELECT * FROM read_parquet('{FLIGHTS}') WHERE tailnum IS NOT NULL"

# The disruption model. Every literal is a double (`e0`): DuckDB would read 8.0 as a decimal.
DISRUPTION_SQL = """
CREATE VIEW disruption AS
WITH relative AS (
    SELECT *, greatest(arr_delay, 0e0) / (60e0 + distance / 8e0) AS relative FROM flights
), scored AS (
    SELECT *, CASE WHEN dep_delay IS NULL OR arr_delay IS NULL THEN 1e0
              ELSE least(relative * (CASE WHEN hour >= 17 THEN 1.25e0 ELSE 1e0 END), 1e0) END AS score
    FROM relative
)
SELECT *, CASE WHEN dep_delay IS NULL OR arr_delay IS NULL THEN 'cancelled'
               WHEN score < 0.05e0 THEN 'on-time'
               WHEN score < 0.25e0 THEN 'minor'
               WHEN score < 0.6e0 THEN 'major'
               ELSE 'severe' END AS band
FROM scored
"""

# The pace model: no answer at all (both outputs null) where the time in the air is unknown or not positive.
PACE_SQL = """
CREATE VIEW pace AS
WITH speed AS (
    SELECT *, CASE WHEN air_time > 0e0 THEN distance / (air_time / 60e0) END AS ground_speed_mph FROM flights
)
SELECT *, CASE WHEN ground_speed_mph IS NULL THEN NULL
               WHEN ground_speed_mph < 350e0 THEN 'slow'
               WHEN ground_speed_mph < 430e0 THEN 'typical'
               ELSE 'fast' END AS pace
FROM speed
"""

# Per file: source, keys, and the aggregates as (name, SQL, column whose nulls do not contribute or None). favg sums with compensation (Kahan): the mean of a
# column that is no whole number comes out right to the last bit or two, whatever the order of rows.
TABLES = {
    "carrier_month": (
        "flights",
        ["carrier", "month"],
        [("count", "count(*)", None), ("sum_distance", "sum(distance)", "distance"), ("avg_dep_delay", "favg(dep_delay)", "dep_delay")],
    ),
    "origin_dest": (
        "flights",
        ["origin", "dest"],
        [("count", "count(*)", None), ("avg_air_time", "favg(air_time)", "air_time")],
    ),
    "disruption": (
        "disruption",
        ["carrier", "band"],
        [("count", "count(*)", None), ("avg_score", "favg(score)", "score")],
    ),
    "disruption_total": (
        "disruption",
        ["band"],
        [("count", "count(*)", None), ("avg_score", "favg(score)", "score")],
    ),
    "pace": (
        "pace",
        ["carrier", "pace"],
        [("count", "count(*)", None), ("avg_ground_speed_mph", "favg(ground_speed_mph)", "ground_speed_mph")],
    ),
}

# HAVING, ORDER BY and LIMIT see released cells only. The keys break ties, so that the order is total.
HAVING_SQL = """
SELECT carrier, month, count, avg_dep_delay, units, "rows" FROM carrier_month
WHERE released AND avg_dep_delay > 15e0
ORDER BY avg_dep_delay DESC, carrier, month LIMIT 10
"""


def dominated_sql(source, keys, column):
    """The cells in which one or two units are too much of a sum or mean of `column`."""
    grouped = ", ".join(keys)
    return f"""
    SELECT {grouped} FROM (
        SELECT {grouped}, sum(part) AS total, list_reverse_sort(list(part)) AS top, sum(n) AS n FROM (
            SELECT {grouped}, tailnum, abs(sum({column}::DOUBLE)) AS part, count(*) AS n
            FROM {source} WHERE {column} IS NOT NULL GROUP BY {grouped}, tailnum
        ) GROUP BY {grouped}
    )
    WHERE total <= 0 OR n <= 1
       OR (top[1] + coalesce(top[2], 0)) / total >= {TOP2_SHARE_MAX}e0
       OR (total - top[1] - coalesce(top[2], 0)) / top[1] < {P_RATIO_MIN}e0
    """


def near_margin_sql(source, keys):
    """The cells that are nearly all of a margin: what the margin holds besides is of one to a few units."""
    margins = []
    for size in range(len(keys)):
        for kept in itertools.combinations(keys, size):
            same = lambda names: " AND ".join(f"one.{key} IS NOT DISTINCT FROM other.{key}" for key in names) or "true"
            margins.append(f"""
            SELECT {", ".join(f"one.{key}" for key in keys)}
            FROM (SELECT DISTINCT {", ".join(keys)} FROM {source}) AS one
            JOIN {source} AS other ON {same(kept)} AND NOT ({same(keys)})
            GROUP BY ALL HAVING count(DISTINCT other.tailnum) < {COMPLEMENT_UNITS_MIN}
            """)
    return " UNION ".join(margins)


def cells_sql(source, keys, aggregates):
    """Every cell of one table, released or not, with its evidence, sorted by key (nulls first)."""
    grouped = ", ".join(keys)
    selected = ", ".join(f"{expression} AS {name}" for name, expression, _ in aggregates)
    columns = [column for _, _, column in aggregates if column]
    filters = [""] + [f" FILTER ({column} IS NOT NULL)" for column in columns]
    units = ", ".join(f"count(DISTINCT tailnum){contributing}" for contributing in filters)
    rows = ", ".join(f"count(*){contributing}" for contributing in filters)
    same = " AND ".join(f"cells.{key} IS NOT DISTINCT FROM dominated.{key}" for key in keys)
    dominated = " ".join(
        f"OR EXISTS (SELECT 1 FROM ({dominated_sql(source, keys, column)}) AS dominated WHERE {same})"
        for column in columns
    )
    same = " AND ".join(f"cells.{key} IS NOT DISTINCT FROM near.{key}" for key in keys)
    near = f"EXISTS (SELECT 1 FROM ({near_margin_sql(source, keys)}) AS near WHERE {same})"
    return f"""
    SELECT *, units >= {UNITS_MIN} AND "rows" >= {ROWS_MIN} AND NOT ({near} {dominated}) AS released
    FROM (
        SELECT {grouped}, {selected}, least({units}) AS units, least({rows}) AS "rows"
        FROM {source} GROUP BY {grouped}
    ) AS cells
    ORDER BY {", ".join(f"{key} NULLS FIRST" for key in keys)}
    """


def text(value):
    """A cell of the CSV: null is empty, a float has 17 significant digits and so reads back as the same float."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.17g}"
    return str(value)


def to_csv(database, query):
    result = database.execute(query)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([column[0] for column in result.description])
    writer.writerows([text(value) for value in row] for row in result.fetchall())
    return out.getvalue()


def compute():
    """All files as {name: CSV text}."""
    database = duckdb.connect()
    database.execute("SET threads = 1")  # one order of summation, so that running again gives the same bytes
    for view in (FLIGHTS_SQL, DISRUPTION_SQL, PACE_SQL):
        database.execute(view)
    files = {}
    for name, (source, keys, aggregates) in TABLES.items():
        query = cells_sql(source, keys, aggregates)
        files[f"{name}.csv"] = to_csv(database, query)
        cells, withheld, rows = database.execute(
            f'SELECT count(*), count(*) FILTER (NOT released), sum("rows") FILTER (NOT released) FROM ({query})'
        ).fetchone()
        print(f"{name}.csv: {cells} cells, {withheld} withheld ({rows or 0} rows)")
    database.execute(f"CREATE VIEW carrier_month AS {cells_sql(*TABLES['carrier_month'])}")
    files["having.csv"] = to_csv(database, HAVING_SQL)
    return files


def main():
    parser = argparse.ArgumentParser(description="Compute the expected tables with DuckDB.")
    parser.add_argument("--check", action="store_true", help="compare with the files that are there; write nothing")
    check = parser.parse_args().check
    pinned = PINNED.read_text(encoding="utf-8").strip().partition("==")[2]
    if duckdb.__version__ != pinned:
        sys.exit(f"make_expected.py: duckdb is {duckdb.__version__}, but {pinned} is pinned in requirements.txt")
    differing = []
    for name, content in compute().items():
        path = HERE / name
        if not check:
            path.write_text(content, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != content:
            differing.append(name)
    if differing:
        sys.exit(f"make_expected.py: differs from what is computed: {', '.join(differing)}; run without --check")


if __name__ == "__main__":
    main()
