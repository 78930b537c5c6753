"""What a scenario asks GuideLLM for, and what a report shows of that, release by release."""

import json
import re

#: What has the seed, to 0.6 and from 0.7 on.
SEEDS = ("GUIDELLM_RANDOM_SEED", "GUIDELLM__SPEC__SEED__VALUE")
#: A request that waits for the last one to end may start before that is noted.
AT_ONCE = 0.002
#: Of a benchmark's time, what it may be late to end.
LATE = 1.5


def environment(variables: list[dict], sample: int) -> dict[str, str]:
    """A container's variables with their values, as Kubernetes gives them to a sample."""
    known = {"JOB_COMPLETION_INDEX": str(sample), "POD_NAME": "pod"}
    for it in variables:
        if "value" in it:
            known[it["name"]] = re.sub(r"\$\((\w+)\)", lambda name: known[name[1]], it["value"])
    return known


def seed(variables: list[dict], sample: int) -> int:
    """The seed that a sample is told."""
    known = environment(variables, sample)
    [found] = [int(known[name]) for name in SEEDS if name in known]
    return found


def shown(report: dict) -> dict:
    """What a report says that it was asked for, by the words of a scenario; None is not told."""
    [benchmark] = report["benchmarks"]
    if "config" in report:  # from 0.7 on
        spec = report["config"]["spec"]
        [data], [limit] = spec["data"], spec["constraints"]
        about = {"seconds": limit["seconds"], "seed": spec["seed"]["value"]}
    elif "args" in report:  # 0.4 to 0.6
        arguments = report["args"]
        [text] = arguments["data"]
        data = tokens(text)
        about = {"seconds": arguments["max_seconds"], "seed": arguments["random_seed"]}
    else:
        data = tokens(benchmark["request_loader"]["data"])
        about = {"seconds": benchmark["args"]["max_duration"], "seed": None}
    strategy = (benchmark.get("config") or benchmark["args"])["strategy"]
    rate = strategy["max_concurrency" if strategy["type_"] == "throughput" else "rate"]
    return about | {
        "rateType": strategy["type_"], "rate": rate, "promptTokens": data["prompt_tokens"],
        "outputTokens": data["output_tokens"],
    }  # fmt: skip


def tokens(text: str) -> dict[str, int]:
    """Numbers as the command line has them: prompt_tokens=8,output_tokens=4."""
    return {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", text)}


def differences(scenario: dict, seed: int, report: dict, where: str) -> list[str]:
    """What a report does not show as it was asked for, or did not do."""
    told = shown(report)
    wanted = {name: it for name, it in scenario.items() if name in told} | {"seed": seed}
    # 0.3 tells no seed, and of the most requests in flight nothing.
    silent = {name for name in ("seed", "rate") if told[name] is None} if told["seed"] is None else set()
    found = [
        f"{where}: {name} is {told[name]}, not {value}"
        for name, value in wanted.items()
        if told[name] != value and name not in silent
    ]
    [benchmark] = report["benchmarks"]
    requests = benchmark["requests"]["successful"]
    lengths = {it["output_tokens"] for it in requests}
    if lengths != {scenario["outputTokens"]}:
        found.append(f"{where}: output tokens of requests: {lengths}")
    if not scenario["seconds"] * 0.5 <= benchmark["duration"] <= scenario["seconds"] + LATE:
        found.append(f"{where}: it took {benchmark['duration']} s")
    if scenario["rateType"] == "throughput" and (most := in_flight(requests)) != scenario["rate"]:
        found.append(f"{where}: {most} requests were in flight")
    return found


def in_flight(requests: list[dict]) -> int:
    """How many requests there were at once, at most."""
    changes = []
    for it in requests:
        start, end = (it.get(f"request_{name}_time") or it.get(f"{name}_time") for name in ("start", "end"))
        changes += [(start + AT_ONCE, 1), (end, -1)]
    now = most = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most


def prompts(report: dict) -> set[str]:
    """The prompts of a report, of 0.3 or from 0.6 on."""
    [benchmark] = report["benchmarks"]
    return {prompt(it) for it in benchmark["requests"]["successful"]}


def prompt(request: dict) -> str:
    """A request's."""
    if "prompt" in request:
        return request["prompt"]
    body = json.loads(request["request_args"])["body"]
    [part] = body["messages"][0]["content"]
    return part["text"]
