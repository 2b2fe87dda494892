try:
    import sqlite3, pyarrow.parquet
except ImportError as error:
    say(missing=error.name)
    sys.exit(0)

con = sqlite3.connect(sys.argv[1])
say(ready=True, version=sqlite3.sqlite_version)


def load(name, file):
    source = pyarrow.parquet.ParquetFile(file)
    names = source.schema_arrow.names
    con.execute(f"DROP TABLE IF EXISTS {name}")
    con.execute(f"CREATE TABLE {name} ({', '.join(names)})")
    insert = f"INSERT INTO {name} VALUES ({', '.join('?' * len(names))})"
    for batch in source.iter_batches():
        columns = [[plain(value) for value in column.to_pylist()] for column in batch.columns]
        con.executemany(insert, zip(*columns))
    con.commit()


def answer(asked):
    if asked["op"] == "load":
        load(asked["name"], asked["file"])
        return {}
    start = time.perf_counter()
    rows = con.execute(asked["sql"]).fetchall()
    seconds = time.perf_counter() - start
    return dict(seconds=seconds, count=len(rows), rows=rows if asked.get("rows") else None)


serve(answer)
