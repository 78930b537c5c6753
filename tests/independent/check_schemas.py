"""Validates the tool's documents and suites against the JSON Schemas in `schemas/`.

    python check_schemas.py BINARY REPORT...

A member that the schema does not know is wrong here, though the schemas let readers ignore it. Of the
suites, the built-in ones and those of the runner's tests have to be valid; those that the runner has
to refuse have to be invalid, unless they say that no schema can tell.
"""

import json
import subprocess
import sys
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator, FormatChecker
from matching import Tally

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "schemas"
SUITES = ROOT / "crates/runner/tests/suites"
KINDS = {"guidellmSummary": "summary", "guidellmRequest": "request"}


def validators() -> dict[str, Draft202012Validator]:
    """A validator for each kind of document; unknown members are not allowed."""
    found = {}
    for metric_name, name in KINDS.items():
        schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
        Draft202012Validator.check_schema(schema)
        schema["additionalProperties"] = False
        found[metric_name] = Draft202012Validator(schema, format_checker=FormatChecker())
    return found


def check_suites(tally: Tally) -> None:
    """Checks every suite; one line for each."""
    schema = json.loads((SCHEMAS / "suite.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    wrong = sorted(SUITES.glob("wrong/*.yaml"))
    valid = sorted([*SUITES.glob("valid/*.yaml"), *(ROOT / "manifests/suites").glob("*.yaml")])
    if not wrong or not valid:
        tally.add(str(SUITES), ["there are no suites"])
    for path in [*valid, *wrong]:
        text = path.read_text()
        told = [f"{it.json_path}: {it.message}" for it in validator.iter_errors(yaml.safe_load(text))]
        found = told if path in valid else []
        if path in wrong and bool(told) == ("# schema: silent" in text):
            found = [f"told: {told}"] if told else ["it is taken for valid"]
        tally.add(str(path.relative_to(ROOT)), found)


def main(binary: str, paths: list[str]) -> int:
    """Checks every report; one line for each."""
    known, tally = validators(), Tally()
    for path in paths:
        command = [binary, "index", path, "--format", "ndjson", "-o", "-", "--quiet"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found = [] if done.returncode == 0 else [f"exit {done.returncode}: {done.stderr.strip()}"]
        for line in done.stdout.splitlines():
            document = json.loads(line)
            for error in known[document["metricName"]].iter_errors(document):
                found.append(f"{document['document_id']} {error.json_path}: {error.message}")
        tally.add(path, found)
    check_suites(tally)
    return tally.finish()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
