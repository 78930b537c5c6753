"""Asks every question about every report; the answers are the report's own figures.

    python check_questions.py BINARY REPORT...

What a scenario of one sample has is what the report says of that benchmark; with itself, it differs by
nothing; an objective is met at its figure and missed just below it.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from expected import Context, documents
from fields import METRIC_FIELDS
from matching import Tally, matches
from reports import load

CONTEXT = Context(uuid="u", job_name="j", sample=0)
JUDGED = "request_latency_p95_seconds"
#: By which an objective is above or below a figure.
APART = 1e-6
#: What is made of the requests of all samples.
POOLED = ("ttft", "itl", "time_per_output_token", "request_latency")
OF_REQUESTS = ("mean", "p50", "p90", "p95", "p99")
#: Exit codes: done, nothing that can be read, a threshold was crossed.
DONE, UNUSABLE, CROSSED = 0, 2, 3


class Asked:
    """A report, and what the tool says of it."""

    def __init__(self, binary: str, path: Path, folder: Path) -> None:
        self.binary, self.path, self.folder = binary, str(path), folder
        self.benchmarks = {it.benchmark.index: it.summary for it in documents(load(path), CONTEXT)}

    def ask(self, command: str, *more: str) -> tuple[int, str, str]:
        """Exit code, and what it tells."""
        done = subprocess.run(
            [self.binary, command, *more], capture_output=True, text=True, check=False,
            cwd=self.folder,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    def json(self, command: str, *more: str) -> object:
        """What it tells as JSON; it has to go well."""
        code, told, words = self.ask(command, *more, "--json")
        if code != DONE:
            raise RuntimeError(f"{command}: exit code {code}: {words}")
        return json.loads(told)

    def scenarios(self) -> list[dict]:
        """What the samples of each scenario say together; with what the report says of them."""
        [analysis] = self.json("scenarios", self.path)
        for scenario in analysis["scenarios"]:
            own = [it["summary"]["benchmark_index"] for it in scenario["samples"]]
            scenario["expected"] = [self.benchmarks[index] for index in own]
        return analysis["scenarios"]


def value(scenario: dict, figure: str) -> float | None:
    """A figure of a scenario."""
    found = scenario["figures"].get(figure)
    return found and found["value"]


def check_scenarios(asked: Asked) -> list[str]:
    """Each benchmark is in one scenario; one of a single sample has the report's own figures."""
    scenarios, found = asked.scenarios(), []
    samples = [sample for scenario in scenarios for sample in scenario["samples"]]
    if len(samples) != len(asked.benchmarks):
        found.append(f"{len(samples)} samples of {len(asked.benchmarks)} benchmarks")
    compared = 0
    for scenario in scenarios:
        if len(scenario["expected"]) > 1:
            continue
        [expected] = scenario["expected"]
        for figure in scenario["figures"].keys() & expected.keys():
            compared += 1
            wanted = expected[figure]
            wanted = float(wanted) if isinstance(wanted, int) else wanted
            if not matches(wanted, value(scenario, figure)):
                found.append(f"{figure}: {value(scenario, figure)}, the report has {wanted}")
        fields = {METRIC_FIELDS[metric].format(it) for metric in POOLED for it in OF_REQUESTS}
        measured = {it for it in fields if expected.get(it) is not None}
        if lacks := measured - scenario["figures"].keys():
            found.append(f"there is no {sorted(lacks)}")
    return found if compared or found else ["no figure was compared"]


def check_compared(asked: Asked) -> list[str]:
    """With itself, a report differs by nothing, in every form."""
    comparison, found = asked.json("compare", asked.path, asked.path), []
    figures = [figure for it in comparison["scenarios"] for figure in it["figures"]]
    for it in figures:
        if it["base"] != it["candidate"] or it.get("change") not in (None, 0.0) or it["significant"]:
            found.append(f"{it}")
    measured = sum(len(it["figures"]) for it in asked.scenarios())
    if len(figures) > measured or (measured and not figures):
        found.append(f"{len(figures)} figures are compared, of {measured}")
    for more in (["--format", "markdown"], ["--format", "junit"]):
        code, told, words = asked.ask("compare", asked.path, asked.path, *more)
        if code != DONE or not told:
            found.append(f"{more}: exit code {code}: {words}")
    return found


def check_history(asked: Asked) -> list[str]:
    """A figure over runs is that of each run."""
    values = [value(it, JUDGED) for it in asked.scenarios()]
    wanted = sorted(it for it in values if it is not None)
    code, told, words = asked.ask("history", JUDGED, asked.path, "--json")
    if not wanted:
        return [] if code == UNUSABLE and JUDGED in words else [f"exit code {code}: {words}"]
    points = [point["value"] for it in json.loads(told) for point in it["points"]]
    return [] if sorted(points) == wanted else [f"{points}, not {wanted}"]


def check_objectives(asked: Asked) -> list[str]:
    """An objective is met at the worst figure, and missed just below it; what was not measured is missed."""
    scenarios, found = asked.scenarios(), []
    known = [it for scenario in scenarios if (it := value(scenario, JUDGED)) is not None]
    worst = max(known, default=1.0)
    measured = bool(known) and len(known) == len(scenarios)
    for bound, wanted in ((worst * (1 + APART), measured), (worst * (1 - APART), False)):
        slo = asked.folder / "slo.yaml"
        slo.write_text(json.dumps({"slos": [f"{JUDGED} <= {bound!r}"]}))
        code, told, words = asked.ask("check", asked.path, "--slo", str(slo), "--json")
        if code != (DONE if wanted else CROSSED):
            found.append(f"{bound}: exit code {code}: {words}")
            continue
        for verdict in json.loads(told):
            kept = verdict["met"] == "met"
            if kept != (verdict.get("value") is not None and verdict["value"] <= bound):
                found.append(f"{bound}: {verdict}")
    return found


def check_page(asked: Asked) -> list[str]:
    """There is a page of it."""
    page = asked.folder / "page.html"
    code, _, words = asked.ask("report", asked.path, "-o", str(page))
    return [] if code == DONE and page.read_text().lower().startswith("<!doctype html>") else [f"{code}: {words}"]


CHECKS = (check_scenarios, check_compared, check_history, check_objectives, check_page)


def main(binary: str, paths: list[str]) -> int:
    """All questions about all reports."""
    tally = Tally()
    for path in map(Path, paths):
        with tempfile.TemporaryDirectory() as folder:
            asked = Asked(binary, path.resolve(), Path(folder))
            for check in CHECKS:
                try:
                    found = check(asked)
                except Exception as error:
                    found = [f"{type(error).__name__}: {error}"]
                tally.add(f"{path}: {check.__name__}", found)
    return tally.finish()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(str(Path(sys.argv[1]).resolve()), sys.argv[2:]))
