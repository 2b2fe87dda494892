try:
    import duckdb
except ImportError:
    say(missing="duckdb")
    sys.exit(0)

threads = sys.argv[1]
con = duckdb.connect()
con.execute(f"SET threads={threads}; SET enable_progress_bar=false")
say(ready=True, version=duckdb.__version__)


def score_columns(quantity, price, discount):
    import numpy, pyarrow
    quantity, price, discount = (column.to_numpy() for column in (quantity, price, discount))
    risk = quantity * 0.03 + price * 0.00002 + discount * 5.0
    return pyarrow.array(numpy.where(risk > 2.0, 1.0, risk / (1.0 + risk)))


def answer(asked):
    op = asked["op"]
    if op == "view":
        con.execute(f"CREATE OR REPLACE VIEW {asked['name']} AS SELECT * FROM read_parquet('{asked['file']}')")
        return {}
    if op == "functions":
        for of in asked["functions"]:
            defined = {}
            exec(of["source"], defined)
            con.create_function(of["name"], defined[of["name"]], ["DOUBLE"] * of["columns"], "DOUBLE", type="native")
        con.create_function("score_columns", score_columns, ["DOUBLE"] * 3, "DOUBLE", type="arrow")
        return {}
    if op == "copy":
        start = time.perf_counter()
        con.execute(asked["sql"])
        return dict(seconds=time.perf_counter() - start, peak_mib=peak_mib())
    start = time.perf_counter()
    rows = con.execute(asked["sql"]).fetchall()
    seconds = time.perf_counter() - start
    shown = [[plain(value) for value in row] for row in rows] if asked.get("rows") else None
    return dict(seconds=seconds, count=len(rows), rows=shown, peak_mib=peak_mib())


serve(answer)
