"""Whether one model is better than another on the same pictures, or the difference is chance.

python compare_models.py labelled/ one.onnx other.onnx

McNemar's exact test: only pictures that one of the two gets right tell anything.
"""

import sys
from math import comb

import darter


def main(labelled: str, one: str, other: str) -> None:
    results = [darter.evaluate(model, labelled) for model in (one, other)]
    for model, result in zip((one, other), results, strict=True):
        low, high = result.interval
        print(f"{model}: {result.accuracy:.1%} of {result.n} ({low:.1%} to {high:.1%})")
    right = [{p["path"]: p["predicted"] == p["label"] for p in r.predictions} for r in results]
    only_one = sum(right[0][path] and not right[1][path] for path in right[0])
    only_other = sum(right[1][path] and not right[0][path] for path in right[0])
    n, fewer = only_one + only_other, min(only_one, only_other)
    chance = min(1.0, 2 * sum(comb(n, k) for k in range(fewer + 1)) / 2**n)
    print(f"right by one alone: {only_one}, by the other alone: {only_other}; p = {chance:.3f}")
    print("they differ" if chance < 0.05 else "the difference may be chance")


if __name__ == "__main__":
    main(*sys.argv[1:])
