# What every peer in Python speaks: one JSON object a line in, one a line out. `serve` answers until its input ends.
import datetime, decimal, json, sys, time

# Packages that print are heard elsewhere.
out, sys.stdout = sys.stdout, sys.stderr


def plain(value):
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, float) and value != value:
        return None
    return value.item() if hasattr(value, "item") else value


def say(**answer):
    print(json.dumps(answer), file=out, flush=True)


def peak_mib():
    import resource
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def serve(answer):
    for line in sys.stdin:
        try:
            say(**answer(json.loads(line)))
        except Exception as error:
            say(error=f"{type(error).__name__}: {error}")
