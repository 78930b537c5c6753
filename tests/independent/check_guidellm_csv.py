"""Checks `--format guidellm-csv` cell by cell with the CSV that GuideLLM wrote of the same run.

    python check_guidellm_csv.py BINARY

The genuine files are in fixtures/csv, under the names that their reports have in fixtures/reports.
"""

import csv
import io
import subprocess
import sys
from pathlib import Path

from matching import Tally, matches

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"

STRATEGY = ("Benchmark", "Strategy", "")

#: Newer than 0.7, whose files lack it.
NEW = {("Generation Delay", "Sec", name) for name in ("Mean", "Median", "Std Dev")}


def table(text: str) -> list[dict[tuple, str]]:
    """The rows, by the three rows of headers."""
    rows = list(csv.reader(io.StringIO(text)))
    headers = list(zip(*rows[:3], strict=True))
    if len(set(headers)) != len(headers):
        raise ValueError("two columns have the same headers")
    return [dict(zip(headers, row, strict=True)) for row in rows[3:]]


def convert(binary: str, *paths: Path) -> list[dict[tuple, str]]:
    """The tool's table of some reports."""
    command = [binary, "index", *map(str, paths), "--format", "guidellm-csv", "-o", "-", "-q"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ValueError(f"exit {done.returncode}: {done.stderr.strip()}")
    return table(done.stdout)


def same(genuine: str, found: str) -> bool:
    """Whether two cells say the same; numbers need not be written alike."""
    try:
        return matches(float(genuine), float(found))
    except ValueError:
        return genuine == found


def differences(genuine: dict, found: dict, release: str) -> list[str]:
    """What the tool's row has otherwise."""
    lines = []
    for header, cell in found.items():
        name = " / ".join(part for part in header if part)
        if header not in genuine:
            if cell or not (release == "0.7.3" and header in NEW):
                lines.append(f"{name}: no column of GuideLLM")
        elif header == STRATEGY and release == "0.7.3":
            # 0.7 leaves the rate out.
            if cell.split("@")[0] != genuine[header]:
                lines.append(f"{name}: {genuine[header]!r}, found {cell!r}")
        elif not same(genuine[header], cell):
            lines.append(f"{name}: {genuine[header]!r}, found {cell!r}")
    return lines


def check(binary: str, path: Path) -> list[str]:
    """One genuine file."""
    name = path.relative_to(FIXTURES / "csv").with_suffix(".json")
    report = FIXTURES / "reports" / name
    if not report.exists():
        report = report.with_suffix(".json.gz")
    genuine, found = table(path.read_text()), convert(binary, report)
    if len(genuine) != len(found):
        return [f"{len(genuine)} benchmarks, but {len(found)} rows"]
    lines = []
    for index, (own, row) in enumerate(zip(genuine, found, strict=True)):
        lines += [f"row {index}: {line}" for line in differences(own, row, name.parts[0])]
    if not any(value for row in found for header, value in row.items() if header[2] == "Std Dev"):
        lines.append("no statistics at all")
    return lines


def check_all_releases(binary: str) -> list[str]:
    """Benchmarks of every release in one file stay in their columns."""
    reports = sorted((FIXTURES / "reports").glob("0.*/constant_mixed.json"))
    rows = convert(binary, *reports)
    alone = [row for report in reports for row in convert(binary, report)]
    return [] if rows == alone and len(rows) == len(reports) else ["rows differ from those alone"]


def main(binary: str) -> int:
    """Exit code."""
    tally = Tally()
    for path in sorted((FIXTURES / "csv").glob("*/*.csv")):
        tally.add(str(path.relative_to(FIXTURES)), check(binary, path))
    tally.add("all releases in one file", check_all_releases(binary))
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed or tally.passed < 2 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
