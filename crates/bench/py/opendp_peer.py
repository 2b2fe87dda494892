try:
    import importlib.metadata
    import opendp.prelude as dp, polars
except ImportError as error:
    say(missing=error.name)
    sys.exit(0)

dp.enable_features("contrib")
say(ready=True, version=importlib.metadata.version("opendp"))


def answer(asked):
    keys = asked["keys"]
    start = time.perf_counter()
    context = dp.Context.compositor(
        data=polars.scan_parquet(asked["file"]),
        privacy_unit=dp.unit_of(contributions=asked["rows_per_unit"]),
        privacy_loss=dp.loss_of(epsilon=asked["epsilon"]),
        split_evenly_over=1,
        margins=[dp.polars.Margin(by=keys, invariant="keys", max_length=asked["rows"], max_groups=asked["groups"])],
    )
    summed = polars.col(asked["summed"]).cast(polars.Int64).fill_null(0).dp.sum(bounds=tuple(asked["bounds"]))
    frame = context.query().group_by(keys).agg(dp.len(), summed).release().collect()
    seconds = time.perf_counter() - start
    rows = [[plain(value) for value in row] for row in frame.rows()]
    return dict(seconds=seconds, count=len(rows), rows=rows)


serve(answer)
