try:
    import importlib.metadata, os, tempfile
    import acro, pyarrow.parquet
except ImportError as error:
    say(missing=error.name)
    sys.exit(0)

# What it writes it writes there.
os.chdir(tempfile.mkdtemp())
frame = pyarrow.parquet.read_table(sys.argv[1], columns=sys.argv[2:]).to_pandas()
checker = acro.ACRO(suppress=True)
say(ready=True, version=importlib.metadata.version("acro"))


def answer(asked):
    keys, value = asked["keys"], asked["value"]
    # As Weir, it leaves out rows without a unit.
    data = frame[frame[asked["unit"]].notna()]
    start = time.perf_counter()
    table = checker.crosstab(data[keys[0]], data[keys[1]], values=data[value], aggfunc="sum")
    seconds = time.perf_counter() - start
    rows = [
        [plain(row), plain(column), float(table.loc[row, column])]
        for row in table.index
        for column in table.columns
        if table.loc[row, column] == table.loc[row, column]
    ]
    return dict(seconds=seconds, count=len(rows), rows=rows)


serve(answer)
