"""The peer of `scenarios.py`: pooled figures of a store's scenarios, with pandas and numpy.

This is what one writes when there is no tool: read the columns, group by scenario, and take the
weighted percentiles of what was successful (GuideLLM's definition: no interpolation). It leaves
windows, seconds and confidence intervals out, which is in its favour.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

COLUMNS = ["job_name", "strategy", "rate", "status", "ttft_ms", "itl_ms", "tpot_ms"]
COLUMNS += ["request_latency_seconds", "output_token_count"]
RANKS = [0.5, 0.9, 0.95, 0.99]


def percentiles(values, weights):
    order = np.argsort(values, kind="stable")
    values, weights = values[order], weights[order]
    cumulative = np.cumsum(weights / weights.sum())
    return [values[min(np.searchsorted(cumulative, rank), len(values) - 1)] for rank in RANKS]


def pooled(group):
    tokens = group.output_token_count.to_numpy(dtype=float)
    ones = np.ones(len(group))
    metrics = {
        "ttft_ms": ones,
        "itl_ms": np.maximum(tokens - 1, 0),
        "tpot_ms": tokens,
        "request_latency_seconds": ones,
    }
    found = {}
    for name, weights in metrics.items():
        values = group[name].to_numpy(dtype=float)
        known = ~np.isnan(values)
        found[name] = percentiles(values[known], weights[known])
    return found


def main(store):
    paths = sorted(Path(store).glob("requests/run=*/job=*/*.parquet"))
    frame = pd.concat(pd.read_parquet(path, columns=COLUMNS, partitioning=None) for path in paths)
    frame = frame[frame.status == "successful"]
    for key, group in frame.groupby(["job_name", "strategy", "rate"], dropna=False):
        print(key, pooled(group))


if __name__ == "__main__":
    main(sys.argv[1])
