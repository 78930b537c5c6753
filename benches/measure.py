"""Runs commands for `run.py`: their wall time and peak memory, with the file in the page cache."""

import os
import subprocess
import tempfile
import time

#: The bound: the least that any reader does. It prints its own time, so that Python's start does
#: not count as reading.
READ_LOOP = """
import sys, time
buffer = bytearray(1 << 20)
with open(sys.argv[1], "rb", buffering=0) as file:
    began = time.perf_counter()
    while file.readinto(buffer):
        pass
print(time.perf_counter() - began)
"""


def run_once(command, folder):
    """Seconds and peak memory in MB of a command; raises if it fails.

    `{store}` in it stands for a folder that does not exist yet.
    """
    with (
        tempfile.TemporaryDirectory(dir=folder) as scratch,
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as errors,
    ):
        command = [part.replace("{store}", f"{scratch}/store") for part in command]
        # Only the read loop's output is of interest; the others' costs them as little as possible.
        keep = READ_LOOP in command
        began = time.perf_counter()
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output if keep else subprocess.DEVNULL,
            stderr=errors,
        )  # fmt: skip
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            errors.seek(0)
            lines = errors.read().decode(errors="replace").split("\n")
            message = next((line for line in reversed(lines) if line.strip()), "")
            raise RuntimeError(f"failed with {child.returncode}: {message[:120]}")
        if keep:
            output.seek(0)
            seconds = float(output.read())
        return seconds, usage.ru_maxrss * 1024 / 1e6


def warm(file):
    """Reads a file into the page cache: the disk is not what is measured."""
    buffer = bytearray(1 << 20)
    with open(file, "rb", buffering=0) as opened:
        while opened.readinto(buffer):
            pass


def measure(name, command, file, runs, folder):
    seconds, peaks = [], []
    try:
        for _ in range(runs):
            warm(file)
            elapsed, peak = run_once(command, folder)
            seconds.append(elapsed)
            peaks.append(peak)
    except (OSError, RuntimeError) as error:
        return {"command": name, "note": str(error)}
    return {
        "command": name,
        "seconds": seconds,
        "min_seconds": min(seconds),
        "median_seconds": sorted(seconds)[runs // 2],
        "mb_per_second": file.stat().st_size / 1e6 / min(seconds),
        "peak_rss_mb": max(peaks),
    }


def floor(folder):
    """Peak memory in MB of a command that needs none: what `ru_maxrss` cannot fall below."""
    return run_once(["true"], folder)[1]
