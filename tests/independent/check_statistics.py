"""Checks comparisons, standard errors and change points against scipy, numpy and simulations.

    python check_statistics.py EXAMPLE

EXAMPLE is the built example `statistics` of results-model. Latencies are simulated: lognormal, and
dependent on each other within a run (AR(1)), as those of requests that wait in one queue. All
random numbers follow from fixed seeds. Beside the checks, the measured rates are printed.
"""

import json
import math
import subprocess
import sys

import numpy as np
from scipy import stats

BLOCKS, EACH = 20, 25
SAMPLES = 3
# Standard deviation of the logarithm of requests, and how much of it the next request inherits.
SPREAD, INHERITED = 0.5, 0.6
PAIRS = 1000


def run(random: np.random.Generator, between: float, effect: float = 1.0) -> list[list[float]]:
    """One sample: blocks of latencies in milliseconds."""
    count = BLOCKS * EACH
    noise = random.normal(size=count) * SPREAD * math.sqrt(1 - INHERITED**2)
    logs = np.empty(count)
    logs[0] = random.normal() * SPREAD
    for place in range(1, count):
        logs[place] = INHERITED * logs[place - 1] + noise[place]
    values = 100.0 * effect * np.exp(logs + random.normal() * between)
    return values.reshape(BLOCKS, EACH).tolist()


def ask(example: str, tasks: list[dict]) -> list[dict]:
    """The example's answers."""
    text = "".join(json.dumps(task) + "\n" for task in tasks)
    done = subprocess.run([example], input=text, capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(tasks)
    return answers


def pairs(
    random: np.random.Generator,
    between: float,
    effect: float,
    quantile: float | None,
    count: int,
    samples: int = SAMPLES,
) -> list[dict]:
    """Tasks that compare runs with such runs times an effect."""
    return [
        {
            "task": "pair",
            "base": [run(random, between) for _ in range(samples)],
            "candidate": [run(random, between, effect) for _ in range(samples)],
            "quantile": quantile,
            "within": True,
        }
        for _ in range(count)
    ]


def share_found(answers: list[dict]) -> float:
    """Share of pairs with p below 0.05."""
    return sum(answer["p"] < 0.05 for answer in answers) / len(answers)


def share_welch(answers: list[dict]) -> float:
    """The same by Welch's test alone, as scipy has it; nothing for one run a side."""
    sides = [(np.log(answer["candidate"]), np.log(answer["base"])) for answer in answers]
    if len(sides[0][0]) < 2:
        return math.nan
    found = [stats.ttest_ind(*both, equal_var=False).pvalue < 0.05 for both in sides]
    return sum(found) / len(found)


def check_rates(example: str) -> list[str]:
    """False alarms, and effects that are found; also beside Welch's test alone."""
    problems = []
    # Between-run variation, effect, quantile, samples a side, least and largest share.
    cases = [
        (0.10, 1.0, None, 3, 0.02, 0.07),
        (0.05, 1.0, None, 3, 0.015, 0.07),
        (0.05, 1.0, 0.95, 3, 0.015, 0.07),
        # Requests alone make the noise: variances that are the larger of two are careful.
        (0.0, 1.0, None, 3, 0.005, 0.07),
        (0.0, 1.0, 0.95, 3, 0.005, 0.07),
        # One run each, and no noise between runs: the requests' own errors are enough.
        (0.0, 1.0, None, 1, 0.02, 0.09),
        (0.01, 1.05, None, 10, 0.35, 1.0),
        (0.01, 1.10, None, 5, 0.6, 1.0),
        (0.01, 1.20, None, 3, 0.8, 1.0),
        # Five know their noise.
        (0.0, 1.0, None, 5, 0.02, 0.07),
    ]
    for number, (between, effect, quantile, samples, least, largest) in enumerate(cases):
        random = np.random.default_rng(100 + number)
        count = PAIRS if effect == 1.0 else PAIRS // 4
        answers = ask(example, pairs(random, between, effect, quantile, count, samples))
        share, welch = share_found(answers), share_welch(answers)
        what = "mean" if quantile is None else f"p{quantile * 100:.0f}"
        line = (
            f"{what}, {samples} runs a side that differ by {between:.0%}, effect {effect - 1:+.0%}: "
            f"p < 0.05 in {share:.1%}"
        )
        print(line if math.isnan(welch) else f"{line} (Welch's test alone: {welch:.1%})")
        # The floor is to cost no effects, and to raise no alarms of its own.
        if effect != 1.0 and share < welch - 0.03:
            problems.append(f"{line}, fewer than the {welch:.1%} of Welch's test alone")
        if effect == 1.0 and share > welch + 0.015:
            problems.append(f"{line}, more than the {welch:.1%} of Welch's test alone")
        if not least <= share <= largest:
            problems.append(f"{line}, not {least:.0%} to {largest:.0%}")
    return problems


def check_welch(example: str) -> list[str]:
    """Without errors of requests the test is scipy's."""
    problems = []
    random = np.random.default_rng(1)
    tasks = pairs(random, 0.05, 1.05, None, 50) + pairs(random, 0.05, 1.05, 0.95, 50)
    for task in tasks:
        task["within"] = False
        task["candidate"].append(run(random, 0.1))
    for answer in ask(example, tasks):
        expected = stats.ttest_ind(
            np.log(answer["candidate"]), np.log(answer["base"]), equal_var=False
        )
        interval = expected.confidence_interval(0.95)
        found = [answer["p"], *answer["interval"], answer["method"]["degrees_of_freedom"]]
        wanted = [expected.pvalue, interval.low, interval.high, expected.df]
        if not np.allclose(found, wanted, rtol=1e-7, atol=1e-12):
            problems.append(f"Welch: {found}, scipy has {wanted}")
    return problems


def quantile(values: np.ndarray, rank: float) -> float:
    """The smallest value whose share reaches the rank."""
    return float(np.quantile(values, rank, method="inverted_cdf"))


def check_errors(example: str) -> list[str]:
    """Statistics are numpy's; errors are those of a bootstrap made here, and the truth's."""
    problems = []
    ranks = [0.5, 0.9, 0.95, 0.99]
    random = np.random.default_rng(2)
    runs = [run(random, 0.0) for _ in range(200)]
    tasks = [{"task": "errors", "blocks": blocks, "quantiles": ranks} for blocks in runs]
    answers = ask(example, tasks)
    for blocks, answer in zip(runs, answers, strict=True):
        values = np.array(blocks).ravel()
        expected = [quantile(values, rank) for rank in ranks] + [float(values.mean())]
        if not np.allclose(answer["values"], expected, rtol=1e-12, atol=0):
            problems.append(f"statistics are {answer['values']}, numpy has {expected}")
    for blocks, answer in zip(runs[:5], answers[:5], strict=True):
        array = np.array(blocks)
        drawn = array[random.integers(0, BLOCKS, size=(2000, BLOCKS))].reshape(2000, -1)
        replicates = [np.quantile(drawn, rank, axis=1, method="inverted_cdf") for rank in ranks]
        replicates.append(drawn.mean(axis=1))
        errors = np.std(np.log(replicates), axis=1, ddof=1) * math.sqrt(BLOCKS / (BLOCKS - 1))
        if not np.allclose(answer["errors"], errors, rtol=0.2, atol=0):
            problems.append(f"errors are {answer['errors']}, numpy has {errors.tolist()}")
    # How far statistics of many runs really are from each other.
    true = np.std(np.log([answer["values"] for answer in answers]), axis=0, ddof=1)
    usual = np.sqrt(np.mean(np.square([answer["errors"] for answer in answers]), axis=0))
    names = [f"p{rank * 100:.0f}" for rank in ranks] + ["mean"]
    for name, one, other in zip(names, true, usual, strict=True):
        print(f"standard error of ln {name}: {other:.4f} by blocks, {one:.4f} among 200 runs")
        if not 0.75 <= other / one <= 1.35:
            problems.append(f"{name}: errors of {other:.4f}, where {one:.4f} is true")
    naive = SPREAD / math.sqrt(BLOCKS * EACH)
    if usual[-1] < 1.4 * naive:
        problems.append("errors do not see that requests depend on each other")
    return problems


def check_changes(example: str) -> list[str]:
    """Steps are found where they are, and few of them in noise."""
    problems = []
    random = np.random.default_rng(3)
    quiet = [100.0 * np.exp(random.normal(size=30) * 0.03) for _ in range(500)]
    tasks = [{"task": "changes", "values": values.tolist()} for values in quiet]
    false = sum(bool(answer["changes"]) for answer in ask(example, tasks)) / len(quiet)
    print(f"change points: {false:.1%} of quiet series have one")
    if not 0.02 <= false <= 0.08:
        problems.append(f"{false:.1%} of quiet series have a change point, not 2 % to 8 %")
    for effect, least in [(1.05, 0.7), (1.10, 0.95), (0.9, 0.95)]:
        steps = []
        for _ in range(200):
            values = 100.0 * np.exp(random.normal(size=30) * 0.03)
            values[18:] *= effect
            steps.append({"task": "changes", "values": values.tolist()})
        found = sum(
            any(
                abs(change["index"] - 18) <= 2 and (change["change"] > 0) == (effect > 1)
                for change in answer["changes"]
            )
            for answer in ask(example, steps)
        ) / len(steps)
        print(f"change points: a step of {effect - 1:+.0%} in noise of 3 % is found in {found:.1%}")
        if found < least:
            problems.append(f"a step of {effect - 1:+.0%} is found in {found:.1%} only")
    return problems


def main() -> int:
    example = sys.argv[1]
    failed = 0
    checks = [check_welch, check_errors, check_changes, check_rates]
    for check in checks:
        problems = check(example)
        failed += bool(problems)
        for problem in problems:
            print(f"{check.__name__}: {problem}")
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
