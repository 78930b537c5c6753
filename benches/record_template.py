"""Text templates of a report's records, for `inflate.py`.

Gigabytes of copies are affordable in Python only if a copy is one format and one join. So each
record is serialised once, in the source's own layout, and cut at the values that vary.
"""

import json
import re
from hashlib import md5
from operator import itemgetter

#: Any float above is a clock: GuideLLM's are seconds since 1970, all else is far smaller.
EPOCH = 1e9
DURATION = re.compile(r"(_latency|_ms|_delay|first_token_time|decode_times)$")
RATE = re.compile(r"_per_second$")
#: Running totals in 0.1's `concurrencies`; they go on from pass to pass.
COUNTS = ("completed", "errored")
START = ("request_start", "request_start_time", "start_time", "time")
ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32}")
MARK = re.compile(r'"@@(\d+)@@"|@@I(\d+)@@')


class Layout:
    """How the source was written: what `json.dump` was given, found out from its text."""

    def __init__(self, text):
        indent = re.match(r"[{\[]\n( +)", text)
        self.indent = len(indent[1]) if indent else None
        compact = not indent and re.match(r'\{"\w+":\S', text)
        self.options = {
            "indent": self.indent,
            "ensure_ascii": text.isascii(),
            "separators": (",", ":") if compact else None,
        }
        self.comma = "," if indent or compact else ", "

    def dump(self, value, depth=0):
        """`value` as it looks inside `depth` levels of the file."""
        text = json.dumps(value, **self.options)
        return text.replace("\n", self.newline(depth)) if self.indent else text

    def newline(self, depth):
        return "\n" + " " * (self.indent * depth) if self.indent else ""


class Template:
    """One record, cut at its varying values so that a copy costs one format and one join."""

    def __init__(self, record, layout, depth, offset):
        self.slots = {}  # (kind, value) -> index: what a record repeats is formatted once
        self.ids = {}
        self.start = None
        self.offset = offset
        self.depth = depth
        marked = self._mark(record, "")
        text = layout.dump(marked, depth)
        self.size = len(layout.dump(record, depth).encode())
        # Sorting by kind groups them as `copy` formats them: clocks, durations, rates, counts.
        ordered = sorted(self.slots, key=itemgetter(0))
        self.clocks, self.durations, self.rates = (
            [value for kind, value in ordered if kind == wanted] for wanted in "CDR"
        )
        self.counts = [(kind, value) for kind, value in ordered if kind in COUNTS]
        if self.start is None:
            self.start = min(self.clocks, default=None)
        self.format = "\n".join(["%r"] * len(ordered) + ["%s"] * len(self.ids))
        place = {self.slots[key]: index for index, key in enumerate(ordered)}
        parts, order, end = [], [], 0
        for mark in MARK.finditer(text):
            parts += [text[end : mark.start()], ""]
            order.append(place[int(mark[1])] if mark[1] else len(ordered) + int(mark[2]))
            end = mark.end()
        self.parts = [*parts, text[end:]]
        # `itemgetter` of a single index would give no tuple.
        self.pick = itemgetter(*order) if len(order) > 1 else lambda texts: texts[: len(order)]

    def _mark(self, value, key):
        if isinstance(value, dict):
            return {name: self._mark(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            # 0.1 calls the gaps between its tokens `decode_times.data`.
            return [self._mark(inner, "decode_times" if key == "data" else key) for inner in value]
        if isinstance(value, str) and len(value) < 64 and ID.search(value):
            return ID.sub(lambda m: f"@@I{self.ids.setdefault(m[0], len(self.ids))}@@", value)
        if type(value) is int and key in COUNTS:
            return self._slot(key, value)
        if not isinstance(value, float) or not value:
            return value
        if value > EPOCH:
            if key == "scheduler_start_time":  # of the run, not of the request
                return value + self.offset
            if self.start is None and key in START:
                self.start = value
            return self._slot("C", value)
        kind = "D" if DURATION.search(key) else "R" if RATE.search(key) else None
        return self._slot(kind, value) if kind else value

    def _slot(self, kind, value):
        return f"@@{self.slots.setdefault((kind, value), len(self.slots))}@@"

    def copy(self, number, shift, factor, totals, seed):
        """The record's text in pass `number`, `shift` seconds on, stretched by `factor`."""
        start = self.start
        moved = start + shift if self.clocks else None
        values = (
            *[moved + (clock - start) * factor for clock in self.clocks],
            *[duration * factor for duration in self.durations],
            *[rate / factor for rate in self.rates],
            *[count + number * totals[key] for key, count in self.counts],
            *([renew(old, number, seed) for old in self.ids] if number else self.ids),
        )
        parts = self.parts
        parts[1::2] = self.pick((self.format % values).split("\n"))
        return "".join(parts)


def renew(old, number, seed):
    """The id that replaces `old` in pass `number`; a UUID stays one of version 4."""
    new = md5(f"{seed}/{number}/{old}".encode(), usedforsecurity=False).hexdigest()
    if len(old) == 32:
        return new
    return f"{new[:8]}-{new[8:12]}-4{new[13:16]}-a{new[17:20]}-{new[20:]}"
