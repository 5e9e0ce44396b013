"""Effective sample sizes by one implementation for all systems; runs in the peers' environment.

Reads a JSON list of {"draws": path of an .npz, "reference": path of a reference.json or null, "names": the
variables to look at or null for all, "against": paths of other systems' draws} on standard input and prints one
JSON list. Arrays are (chain, draw, ...).
"""

import json
import math
import sys

import numpy as np
from arviz_stats.base import array_stats


def scalars(path, names=None):
    """Every scalar of the posterior (or of `names`), elements counted from 1: (chain, draw)."""
    found = {}
    for name, values in np.load(path).items():
        if names is not None and name not in names:
            continue
        flat = values.reshape(*values.shape[:2], -1).astype(float)
        single = values.ndim == 2
        found |= {name if single else f"{name}[{i + 1}]": flat[..., i] for i in range(flat.shape[-1])}
    return {name: values for name, values in found.items() if np.ptp(values) > 0}


def ess(values, method):
    """Effective sample size of one scalar."""
    prob = {"prob": (0.05, 0.95)} if method == "tail" else {}
    return float(array_stats.ess(values, chain_axis=0, draw_axis=1, method=method, **prob))


def deviation(values, expected):
    """Mean minus reference mean, in standard errors of the two together."""
    error = values.std() / math.sqrt(ess(values, "mean"))
    return float((values.mean() - expected["mean"]) / math.hypot(error, expected["mcse_mean"]))


def worst(found, reference):
    """The scalar furthest from its reference, and how far; None without a reference."""
    if reference is None:
        return None
    with open(reference) as file:
        expected = json.load(file)["parameters"]
    missing = sorted(set(expected) - set(found))
    if missing:
        raise KeyError(f"{reference} names {missing[:5]}, which the draws do not have")
    gaps = {name: deviation(found[name], expected[name]) for name in expected}
    name = max(gaps, key=lambda key: abs(gaps[key]))
    return {"name": name, "standard_errors": gaps[name]}


def apart(found, paths, names):
    """Largest distance of a mean from that of other draws, the best of `paths`, in standard errors of the two."""
    others = [scalars(path, names) for path in paths]
    if not others:
        return None
    other = max(others, key=lambda o: min(ess(values, "bulk") for values in o.values()))
    gaps = []
    for name in set(found) & set(other):
        a, b = found[name], other[name]
        error = math.hypot(a.std() / math.sqrt(ess(a, "mean")), b.std() / math.sqrt(ess(b, "mean")))
        gaps.append(abs(float(a.mean() - b.mean())) / error)
    return max(gaps)


def report(draws, reference=None, names=None, against=()):
    """Effective sample sizes, the largest R-hat, the distances to the reference and to other draws.

    Bulk sizes beyond the number of draws are real for means, yet a chain that jumps from side to side can know the
    means well and the tails badly: hence the smallest tail size beside.
    """
    found = scalars(draws, names)
    sizes = {name: ess(values, "bulk") for name, values in found.items()}
    smallest = min(sizes, key=sizes.get)
    rhat = max(float(array_stats.rhat(values, chain_axis=0, draw_axis=1)) for values in found.values())
    return {
        "min_ess": sizes[smallest],
        "min_name": smallest,
        "ess_tau": sizes.get("tau"),
        "min_tail_ess": min(ess(values, "tail") for values in found.values()),
        "max_rhat": rhat,
        "worst": worst(found, reference),
        "apart": apart(found, against, names),
    }


if __name__ == "__main__":
    print(json.dumps([report(**item) for item in json.load(sys.stdin)]))
