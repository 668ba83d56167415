"""Speed and size."""

from darter.report.records import Record, Records


def speed(records: Records) -> Record:
    found = records.speed
    if found is None:
        return {"missing": "The speed of the model has not been measured yet."}
    before = found.get("milliseconds_before") or {}
    times = [
        {
            "pictures": int(name.rpartition("_")[2] or 1),
            "before": before.get(name, {}).get("median"),
            "before_min": before.get(name, {}).get("min"),
            **values,
        }
        for name, values in (found.get("milliseconds") or {}).items()
    ]
    return {
        "missing": None,
        "speed": found,
        "times": sorted(times, key=lambda t: t["pictures"]),
        "parity": records.parity,
        "quantized": bool((records.quantized or {}).get("kept")),
        "machine": records.run.get("machine") or {},
    }
