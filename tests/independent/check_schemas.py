"""Validates the tool's documents against the JSON Schemas in `schemas/`.

    python check_schemas.py BINARY REPORT...

A member that the schema does not know is wrong here, though the schemas let readers ignore it.
"""

import json
import subprocess
import sys
from pathlib import Path

from jsonschema import Draft202012Validator, FormatChecker
from matching import Tally

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
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
    return tally.finish()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
