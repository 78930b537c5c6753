"""GuideLLM's distributions, written again from their definition.

A distribution is a set of values with weights: one a request, or its tokens, or the time for
which a rate held. A percentile is the smallest value whose cumulative weight reaches the rank;
nothing is interpolated.

The cumulative weight is a floating-point sum of normalised weights, as in GuideLLM. That matters
where a rank falls exactly on a value's end (the median of 12 requests): the rounded sum may stay
below 0.5, and GuideLLM then reports the next value. With this sum every percentile of every
report that kept its records comes out bit for bit; with exact sums one in about thirty does not.
"""

import math
from collections.abc import Iterable, Sequence

import numpy as np

PERCENTILES = {
    "p50": 0.5,
    "p90": 0.9,
    "p95": 0.95,
    "p99": 0.99,
}

# Events closer than this are one event to GuideLLM 0.2 and 0.3, in seconds.
EPSILON = 1e-6


def describe(values: Iterable[float], weights: Iterable[float] | None = None) -> dict | None:
    """Mean, percentiles, extremes and population deviation; None without any weight."""
    array = np.array(list(values), dtype=float)
    weight = np.ones_like(array) if weights is None else np.array(list(weights), dtype=float)
    array, inverse = np.unique(array, return_inverse=True)
    merged = np.zeros_like(array)
    np.add.at(merged, inverse, weight)
    array, weight = array[merged > 0], merged[merged > 0]
    if not array.size:
        return None
    share = weight / np.sum(weight)
    cumulative = np.cumsum(share)
    result = {
        name: float(array[np.searchsorted(cumulative, rank, side="left")])
        for name, rank in PERCENTILES.items()
    }
    mean = float(np.sum(array * share))
    result["mean"] = mean
    result["min"], result["max"] = float(array[0]), float(array[-1])
    result["stddev"] = math.sqrt(float(np.sum((array - mean) ** 2 * share)))
    return result


def request_rate(spans: Sequence[tuple[float, float]]) -> dict | None:
    """Completed requests per second: each gap between two completions is a rate of its own."""
    if not spans:
        return None
    events = [(min(start for start, _ in spans), 1)] + [(end, 1) for _, end in spans]
    return _rates(events)


def token_rate(
    spans: Sequence[tuple[float, float]],
    first_tokens: Sequence[float],
    counts: Sequence[int],
    first_counts: Sequence[int] | None = None,
) -> dict | None:
    """Tokens per second, with a request's tokens evenly spaced from its first one to its end."""
    if not spans:
        return None
    events = [(min(start for start, _ in spans), 0), (max(end for _, end in spans), 0)]
    for index, (_, end) in enumerate(spans):
        first, count = first_tokens[index], counts[index]
        events.append((first, 1 if first_counts is None else first_counts[index]))
        if count > 1:
            gap = (end - first) / (count - 1)
            events.extend((first + step * gap, 1) for step in range(1, count))
    return _rates(events)


def concurrency(spans: Sequence[tuple[float, float]]) -> dict | None:
    """Requests in flight, weighted by how long each number lasted."""
    if not spans:
        return None
    changes: dict[float, int] = {}
    for start, end in spans:
        changes[start] = changes.get(start, 0) + 1
        changes[end] = changes.get(end, 0) - 1
    moments = sorted(changes)
    active, levels, lengths = 0, [], []
    for moment, following in zip(moments, moments[1:]):
        active += changes[moment]
        levels.append(active)
        lengths.append(following - moment)
    return describe(levels, lengths)


def _rates(events: list[tuple[float, int]]) -> dict | None:
    """Rates from events: an event's weight over the time until the next one."""
    merged: list[list[float]] = []
    for moment, weight in sorted(events):
        if merged and abs(merged[-1][0] - moment) <= EPSILON:
            merged[-1][1] += weight
        else:
            merged.append([moment, weight])
    lengths = [after[0] - before[0] for before, after in zip(merged, merged[1:])]
    rates = [event[1] / length for event, length in zip(merged, lengths)]
    return describe(rates, lengths)
