"""Comparing documents with what they should be, and counting how often they are."""

import math
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from reports import text_to_micros

RELATIVE_TOLERANCE = 1e-9

# Enough for a deviation that is 0 but for rounding.
ABSOLUTE_TOLERANCE = 1e-12


@dataclass(frozen=True)
class OneOf:
    """Any of some values; None among them allows the field to be absent."""

    values: tuple


@dataclass(frozen=True)
class Contains:
    """A text in which all of these occur, where its exact form is free."""

    parts: tuple[str, ...]


@dataclass(frozen=True)
class Near:
    """A timestamp within some microseconds of another."""

    timestamp: str
    micros: int


def micros_of(clock: str | Near) -> int:
    """A clock as microseconds, also one that a microsecond was allowed for."""
    return text_to_micros(clock.timestamp if isinstance(clock, Near) else clock)


def matches(expected: object, actual: object) -> bool:
    """Whether a field's value is what it should be; None stands for an absent field."""
    match expected:
        case OneOf(values):
            return any(matches(value, actual) for value in values)
        case Contains(parts):
            return isinstance(actual, str) and all(part in actual for part in parts)
        case Near(timestamp, micros):
            if not isinstance(actual, str):
                return False
            return abs(text_to_micros(timestamp) - text_to_micros(actual)) <= micros
        case bool():
            return actual is expected
        case float():
            if isinstance(actual, bool) or not isinstance(actual, (int, float)):
                return False
            return math.isclose(
                expected, actual, rel_tol=RELATIVE_TOLERANCE, abs_tol=ABSOLUTE_TOLERANCE
            )
        case int():
            return type(actual) is int and actual == expected
        case _:
            return expected == actual


def differences(expected: dict, actual: dict) -> list[str]:
    """What is wrong with a document, field by field; a field too many is wrong as well."""
    found = [
        f"{field}: expected {wanted!r}, found {actual.get(field)!r}"
        for field, wanted in expected.items()
        if not matches(wanted, actual.get(field))
    ]
    found += [f"{field}: not expected at all" for field in actual if field not in expected]
    return found


class Tally:
    """Counts checks, prints a line for each, and what is wrong below it."""

    # A mistake in a formula shows in every request; more lines say no more.
    SHOWN = 20

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0

    def add(self, name: str, found: list[str]) -> None:
        """One check; it passed if nothing was found."""
        if not found:
            self.passed += 1
            print(f"ok      {name}")
            return
        self.failed += 1
        print(f"FAILED  {name}: {len(found)} differences")
        for line in found[: self.SHOWN]:
            print(f"        {line}")
        if len(found) > self.SHOWN:
            print(f"        and {len(found) - self.SHOWN} more")

    def run(self, checks: Iterable[Callable], names: Collection[str], world: object) -> None:
        """Those of some checks of a world that are named, or all, with how long each takes."""
        for check in checks:
            if not names or check.__name__ in names:
                start = time.monotonic()
                found = check(world)
                self.add(f"{check.__name__} ({time.monotonic() - start:.0f} s)", found)

    def finish(self) -> int:
        """The last line, and the exit status."""
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed or not self.passed else 0
