"""Checks the page of figures in a real browser.

    python check_report.py INDEXER PAGE [PICTURES]

INDEXER is `guidellm-indexer`, PAGE the example `page`. Debian's `chromium` has to be installed.
Genuine reports of every generation are rendered, and one page with all that a page can have. Each is
opened narrow and wide, light and dark: no errors in the console, no requests, no text outside the
window, contrast as WCAG 2 asks for, and each figure of the page is that of the page's data, which in
turn is what `index` writes for the report. Alerts are those that `check --record` has recorded. Scripts
in names, labels, error texts and alerts stay text.
Into the folder PICTURES go screenshots, to be looked at.
"""

import json
import math
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from browser import Browser

ROOT = Path(__file__).parents[2]
REPORTS = ROOT / "fixtures/reports"
SCRIPT = Path(__file__).with_name("page.js").read_text()
SHAPES = [(360, "light"), (360, "dark"), (1280, "light"), (1280, "dark")]
HOSTILE = "</script><script>document.title='broken'</script><img src=http://127.0.0.1:9/x>"
LARGEST = 1_000_000
ALONE = [
    "0.1.0/sweep.json", "0.1.0/all_errored.json", "0.2.1/concurrent_multi.json",
    "0.3.1/sweep.json.gz", "0.4.0/concurrent_multi.json.gz", "0.5.4/completions.json",
    "0.7.3/nonstreaming.json", "0.7.3/multiturn.json", "0.8.1/constant_multirate.json",
    "0.8.1/all_errored.json", "0.8.1/all_incomplete.json",
]


def run(*command: object) -> str:
    """What a command prints."""
    done = subprocess.run([str(it) for it in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command}: exit {done.returncode}: {done.stderr}")
    return done.stdout


def documented(indexer: Path, report: Path) -> list[dict]:
    """A report's summaries, as `index` writes them."""
    lines = run(indexer, "index", report, "--format", "ndjson", "-o", "-", "--quiet").splitlines()
    documents = [json.loads(line) for line in lines]
    return [it for it in documents if it["metricName"] == "guidellmSummary"]


def shown(text: str, value: float, share: bool) -> bool:
    """Whether a text is a number, to the last digit that it has."""
    plain = text.replace(",", "").replace("−", "-").removesuffix(" %")
    value = value * 100 if share else value
    if plain.startswith("> "):
        return float(plain[2:]) < value < 100
    if plain.startswith("< "):
        return 0 < value < float(plain[2:])
    places = len(plain.partition(".")[2])
    # Zeros at the end of a percentage are left out.
    half = 0.5 * 10.0 ** -(2 if share else places)
    return abs(float(plain) - value) <= half * (1 + 1e-9) + 1e-12


def spanned(text: str, interval: dict, share: bool) -> bool:
    """Whether a text is an interval."""
    low, high = text.split(" to ") if " to " in text else text.split("–")
    return shown(low, interval["low"], share) and shown(high, interval["high"], share)


def wrong_cells(found: dict) -> list[str]:
    """Cells that do not show the data's figures."""
    data = json.loads(found["data"])
    wrong = [] if found["cells"] else ["there are no figures"]
    for cell in found["cells"]:
        scenario = data["scenarios"][cell["scenario"]]
        share = cell["figure"] in ("request_success_rate", "incomplete_rate", "slo_attainment")
        if cell["sample"] is None:
            figure = scenario["figures"].get(cell["figure"])
            value, interval = (figure["value"], figure.get("interval")) if figure else (None, None)
        else:
            value, interval = scenario["samples"][cell["sample"]].get(cell["figure"]), None
        told = f"{scenario['strategy']} {scenario['load']} {cell['figure']}: {cell['text']}"
        if value is None:
            wrong += [] if cell["text"] == "–" else [f"{told}, and is not there"]
        elif cell["text"] == "–" or not shown(cell["text"], value, share):
            wrong.append(f"{told}, and is {value}")
        if (interval is None) != (cell["interval"] is None):
            wrong.append(f"{told}: interval {cell['interval']}, and is {interval}")
        elif interval and not spanned(cell["interval"], interval, share):
            wrong.append(f"{told}: interval {cell['interval']}, and is {interval}")
    return wrong


def wrong_data(found: dict, summaries: list[dict]) -> list[str]:
    """Figures of single samples that are not what `index` writes."""
    wrong = []
    scenarios = json.loads(found["data"])["scenarios"]
    if len(scenarios) != len(summaries):
        return [f"{len(scenarios)} scenarios of {len(summaries)} benchmarks"]
    for scenario, summary in zip(scenarios, sorted(summaries, key=lambda it: it["timestamp"])):
        for name, figure in scenario["figures"].items():
            if name in summary and not math.isclose(
                figure["value"], summary[name], rel_tol=1e-9, abs_tol=1e-12
            ):
                wrong.append(f"{name} is {figure['value']}, and in the document {summary[name]}")
        compared = [name for name in scenario["figures"] if name in summary]
        if summary.get("successful_requests", 0) > 0 and len(compared) < 20:
            wrong.append(f"only {compared} are compared")
    return wrong


def wrong_alerts(found: dict, judged: list[dict], ends: dict[str, str]) -> list[str]:
    """Alerts that are not the missed objectives of `check`, the worst first, or not the data's."""
    worst = ["critical", "error", "warning", "info"]
    wanted = [
        {
            "severity": it["slo"]["severity"],
            "time": ends[it["uuid"]].split(".")[0] + "Z",
            "job": it["job_name"],
            "run": f"run {it['uuid']}",
            "told": f"{it['scenario']}: {it['slo']['expr']}: ",
            "expression": None,
        }
        for it in judged
        if it["met"] != "met"
    ]
    shown = [
        {k: v for k, v in it.items() if k != "description"}
        | {"told": re.split("missed, it is|not measured,", it["description"])[0]}
        for it in found["alerts"]
    ]
    for rows in (wanted, shown):
        rows.sort(key=lambda it: (worst.index(it["severity"]), it["time"], it["told"]))
    wrong = [] if shown == wanted and wanted else [f"alerts {shown} and not {wanted}"]
    severities = [worst.index(it["severity"]) for it in found["alerts"]]
    if severities != sorted(severities):
        wrong.append(f"the order is {severities}")
    told = [it["description"] for it in found["alerts"]]
    data = json.loads(found["data"])["alerts"]
    if sorted(told) != sorted(it["description"] for it in data):
        wrong.append(f"{told}, and the data has {data}")
    described = sum(HOSTILE in (it["slo"].get("description") or "") for it in judged)
    if sum(f"({HOSTILE})" in it for it in told) != described:
        wrong.append(f"texts: {told}")
    return wrong


def wrong_page(found: dict, complaints: list[str], title: str, width: int) -> list[str]:
    """What is wrong with how a page is."""
    wrong = list(complaints)
    if found["window"] != width or found["width"] > width:
        wrong.append(f"{found['width']} px in a window of {width} ({found['window']})")
    wrong += [f"outside the window: {it}" for it in found["wide"][:5]]
    wrong += [f"faint: {it}" for it in found["faint"][:5]]
    wrong += [f"outside the drawing: {it}" for it in found["outside"][:5]]
    wrong += [f"link to nothing: {it}" for it in found["links"]]
    wrong += [f"id twice: {it}" for it in found["ids"]]
    wrong += [f"small: {it}" for it in found["small"][:5]]
    if found["texts"] < 30:
        wrong.append(f"only {found['texts']} texts were seen")
    if found["title"] != title:
        wrong.append(f"the title is {found['title']!r}")
    if found["scripts"] != ["application/json"]:
        wrong.append(f"scripts: {found['scripts']}")
    return wrong


class Checks:
    """The checks' browser, folder, and what came of them."""

    def __init__(self, browser: Browser, indexer: Path, page: Path, folder: Path) -> None:
        self.browser, self.indexer, self.page, self.folder = browser, indexer, page, folder
        self.pictures: Path | None = None
        self.passed = self.failed = 0

    def add(self, name: str, wrong: list[str]) -> None:
        """Counts a check, and tells what is wrong."""
        self.failed += bool(wrong)
        self.passed += not wrong
        print(f"{'FAIL' if wrong else 'ok  '} {name}")
        for told in wrong[:12]:
            print(f"       {told}")

    def made(self, name: str, reports: list[tuple[Path, list[str]]], *more: str) -> Path:
        """The page of reports, with flags for `index` each."""
        store, page = self.folder / f"{name}.store", self.folder / f"{name}.html"
        for report, flags in reports:
            run(self.indexer, "index", "--quiet", "--store", store, *flags, report)
        if "--made-up" in more:
            run(self.page, store, page, *more)
        else:
            run(self.indexer, "report", "--store", store, "-o", page, "--title", *more)
        return page

    def look(
        self,
        name: str,
        page: Path,
        title: str,
        summaries: list[dict] | None = None,
        more: Callable[[dict], list[str]] = lambda found: [],
    ) -> None:
        """Opens a page in all shapes."""
        size = page.stat().st_size
        self.add(f"{name}: size", [f"{size} bytes"] if size > LARGEST else [])
        for width, scheme in SHAPES:
            self.browser.set_up(width, scheme)
            self.browser.open(page)
            found = self.browser.run(SCRIPT)
            complaints = self.browser.complaints()
            wrong = wrong_page(found, complaints, title, width) + wrong_cells(found)
            wrong += more(found)
            if summaries is not None:
                wrong += wrong_data(found, summaries)
            self.add(f"{name}: {width} px, {scheme}", wrong)
            if self.pictures:
                self.browser.picture(self.pictures / f"{name}-{width}-{scheme}.png")


    def look_at_alerts(self) -> None:
        """Objectives of two runs are judged and recorded, and shown on the page; then of one job."""
        name, store = "alerts", self.folder / "alerts.store"
        jobs = {"run-1": f"steady {HOSTILE}", "run-2": "burst"}
        reports = ["0.8.1/constant_mixed.json", "0.7.3/constant_mixed.json"]
        pairs = list(zip(jobs.items(), reports, strict=True))
        flagged = [(REPORTS / it, ["--uuid", uuid, "-j", job]) for (uuid, job), it in pairs]
        self.made(name, flagged, name)
        slos = [
            {"expr": "ttft_p95_ms < 1", "severity": "warning"},
            {"expr": "itl_mean_ms < 0.1", "severity": "critical", "description": HOSTILE},
            {"expr": "goodput_mean_rps > 1"},
            {"expr": "request_latency_p95_seconds < 100", "description": HOSTILE + " met"},
        ]
        objectives = self.folder / "slo.yaml"
        objectives.write_text(json.dumps({"slos": slos}))
        command = [self.indexer, "check", "--store", store, "--slo", objectives, "--record", "--json"]
        done = subprocess.run([str(it) for it in command], capture_output=True, text=True, check=False)
        if done.returncode != 3:
            raise RuntimeError(f"{command}: exit {done.returncode}: {done.stderr}")
        judged = json.loads(done.stdout)
        ends = {
            uuid: documented(self.indexer, REPORTS / it)[0]["end_timestamp"]
            for (uuid, _), it in pairs
        }
        missed = [it for it in judged if it["met"] != "met"]
        page = self.made(name, [], name)
        self.look(name, page, name, more=lambda found: wrong_alerts(found, missed, ends))
        one = [it for it in missed if it["job_name"] == "burst"]
        page = self.made(name, [], name, "--job-name", "burst")

        def of_one(found: dict) -> list[str]:
            for alert in found["alerts"]:
                if alert["run"] is not None:
                    return [f"the only run is named: {alert}"]
                alert["run"] = "run run-2"
            return wrong_alerts(found, one, ends)

        self.look("alerts of a job", page, name, more=of_one)


def hostile(report: Path, folder: Path) -> Path:
    """A report whose model, labels and error texts hold scripts."""
    text = report.read_text()
    name = json.dumps(HOSTILE)[1:-1]
    told = json.loads(text)["benchmarks"][0]["requests"]["errored"][0]["info"]["error"]
    changed = text.replace(json.dumps(told)[1:-1], name).replace("mock/tiny-llm", name)
    if changed == text:
        raise RuntimeError(f"{report}: nothing to put a script into")
    path = folder / "hostile.json"
    path.write_text(changed)
    return path


def main(indexer: str, page: str, pictures: str | None = None) -> int:
    """Checks all pages; one line for each."""
    with tempfile.TemporaryDirectory() as folder, Browser() as browser:
        checks = Checks(browser, Path(indexer), Path(page), Path(folder))
        if pictures:
            checks.pictures = Path(pictures)
            checks.pictures.mkdir(parents=True, exist_ok=True)
        for report in ALONE:
            name = report.replace("/", "-").split(".json")[0]
            path = REPORTS / report
            made = checks.made(name, [(path, [])], name)
            checks.look(name, made, name, documented(Path(indexer), path))
        kind = ["0.8.1/constant_mixed.json", "0.7.3/constant_mixed.json", "0.5.4/constant_mixed.json"]
        shared = ["--uuid", "run-1", "--job-name", f"steady {HOSTILE}"]
        several = [(REPORTS / it, [*shared, "-s", str(sample)]) for sample, it in enumerate(kind)]
        several.append((hostile(REPORTS / "0.8.1/all_errored.json", Path(folder)), ["--uuid", "run-2"]))
        checks.look_at_alerts()
        title = f"Nightly {HOSTILE}"
        checks.look("everything", checks.made("everything", several, title, "--made-up"), title)
        print(f"{checks.passed} passed, {checks.failed} failed")
        return 1 if checks.failed else 0


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
