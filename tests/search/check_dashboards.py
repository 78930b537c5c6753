"""The dashboards of schemas/dashboards, asked of a real server that holds every fixture.

    python check_dashboards.py BINARY SERVER...

Neither Grafana nor OpenSearch Dashboards is started: what their files ask for is turned into the
searches that they send. A field that is not mapped, a panel without figures, a metric that no
profile collects and a reference to nothing are failures.
"""

import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from server import ROOT, Server, indexer

sys.path.insert(0, str(ROOT / "tests/independent"))
from matching import Tally

DASHBOARDS = ROOT / "schemas/dashboards"
REPORTS = str(ROOT / "fixtures/reports")
INDEX = "guidellm-000001"

#: kube-burner's documents, which no fixture has.
JOB_SUMMARY = {
    "endTimestamp": "2026-11-24T06:10:00Z", "elapsedTime": 600.0, "passed": False,
    "metricName": "jobSummary", "jobConfig": {"name": "", "jobIterations": 1}, "version": "v",
    "executionErrors": "the target ended", "eppImage": "epp:1", "eppConfigHash": "0a",
    "modelServerImage": "vllm:1", "modelServerReplicas": 2, "gpuModel": "H100",
    "k8sVersion": "v1.33.1",
}  # fmt: skip


@dataclass
class Question:
    """One search that a panel makes, in neither tool's words."""

    name: str
    query: str
    #: Id, kind, field and percentiles.
    metrics: list[tuple[str, str, str | None, list]]
    #: Kind and field, outermost first.
    buckets: list[tuple[str, str]]
    #: Members that have to be in a document, where documents are shown.
    columns: list[str] = field(default_factory=list)

    def fields(self) -> dict[str, str]:
        """What each field that it names has to be."""
        found = {name: "searchable" for name in re.findall(r"([\w.@]+)\s*:", self.query)}
        found |= {name: "searchable" for name in self.columns}
        found |= {name: "aggregatable" for _, _, name, _ in self.metrics if name}
        return found | {name: "aggregatable" for _, name in self.buckets}

    def body(self) -> dict:
        """The search."""
        aggregations = {}
        for key, kind, name, percents in self.metrics:
            if kind != "count":
                more = {"percents": percents} if percents else {}
                aggregations[key] = {kind: {"field": name} | more}
        for kind, name in reversed(self.buckets):
            settings = {"field": name, "size": 100, "order": {"_key": "asc"}}
            if kind == "date_histogram":
                settings = {"field": name, "fixed_interval": "1h", "min_doc_count": 1}
            aggregations = {"bucket": {kind: settings, "aggs": aggregations}}
        query = {"query_string": {"query": self.query, "analyze_wildcard": True}}
        time = {"range": {"timestamp": {"gte": "2026-01-01T00:00:00Z"}}}
        size = 100 if self.columns else 0
        return {"size": size, "query": {"bool": {"filter": [time, query]}}, "aggs": aggregations}

    def check(self, answer: dict) -> list[str]:
        """What is missing in an answer."""
        if self.columns:
            documents = [hit["_source"] for hit in answer["hits"]["hits"]]
            return [
                f"no document has {name}"
                for name in self.columns
                if not any(member(document, name) is not None for document in documents)
            ]
        leaves = list(self.leaves(answer["aggregations"], self.buckets))
        if not leaves:
            return ["no buckets"]
        found = []
        for key, kind, name, _ in self.metrics:
            if not any(has_figure(kind, leaf.get(key)) for leaf in leaves):
                found.append(f"{kind} of {name} is empty in all {len(leaves)} buckets")
        names = set(re.findall(r'metricName\.keyword\s*:\s*\((.*?)\)', self.query))
        wanted = set(re.findall(r'"(.+?)"', " ".join(names)))
        there = set(keys(answer["aggregations"], self.buckets, "metricName.keyword"))
        return found + [f"nothing is called {name}" for name in sorted(wanted - there)]

    def leaves(self, level: dict, buckets: list) -> list[dict]:
        """The innermost buckets."""
        if not buckets:
            return [level]
        found = []
        for bucket in level["bucket"]["buckets"]:
            found += self.leaves(bucket, buckets[1:])
        return found


def keys(level: dict, buckets: list, name: str) -> list[str]:
    """The keys of the buckets of one field."""
    found = []
    for bucket in level["bucket"]["buckets"] if buckets else []:
        found += [bucket["key"]] if buckets[0][1] == name else keys(bucket, buckets[1:], name)
    return found


def has_figure(kind: str, value: dict | None) -> bool:
    """Whether a metric of a bucket has something to show."""
    if kind == "count":
        return True
    if kind == "percentiles":
        return any(isinstance(each, (int, float)) for each in value["values"].values())
    return value["value"] is not None


def member(document: dict, path: str) -> object:
    """A member by its dotted name."""
    for name in path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def grafana(values: dict[str, str]) -> tuple[list[Question], list[str]]:
    """The questions of Grafana's dashboard with some values for its variables; what is wrong."""
    dashboard = json.loads((DASHBOARDS / "guidellm-grafana.json").read_text())
    variables = {each["name"]: each for each in dashboard["templating"]["list"]}
    questions, found = [], []

    def filled(text: str) -> str:
        for name in sorted(re.findall(r"\$(\w+)", text), key=len, reverse=True):
            if name not in variables:
                found.append(f"no variable is called {name}")
            text = text.replace(f"${name}", values.get(name, "*"))
        return text

    for each in variables.values():
        if each["type"] == "query":
            asked = json.loads(each["query"])
            questions.append(
                Question(
                    f"${each['name']}", filled(asked["query"]),
                    [("1", "count", None, [])], [("terms", asked["field"])],
                )
            )  # fmt: skip
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            metrics = [
                (each["id"], each["type"], each.get("field"), percents(each.get("settings")))
                for each in target["metrics"]
            ]
            columns = []
            if metrics[0][1] == "raw_data":
                metrics, columns = [], panel["transformations"][0]["options"]["include"]["names"]
            buckets = [(each["type"], each["field"]) for each in target["bucketAggs"]]
            question = Question(panel["title"], filled(target["query"]), metrics, buckets, columns)
            questions.append(question)
            found += [f"{panel['title']}: {line}" for line in check_display(panel, question)]
    ids = [panel["id"] for panel in dashboard["panels"]]
    if len(ids) != len(set(ids)):
        found.append("two panels share an id")
    return questions, found


def percents(settings: dict | None) -> list[float]:
    """Percentiles that are asked for."""
    return [float(each) for each in (settings or {}).get("percents", [])]


def check_display(panel: dict, question: Question) -> list[str]:
    """What a panel shows, but does not ask for."""
    names = [name for _, _, name, _ in question.metrics] + [name for _, name in question.buckets]
    found = []
    for override in panel["fieldConfig"]["overrides"]:
        wanted = override["matcher"]["options"].strip("/$")
        if wanted not in names:
            found.append(f"{wanted} is shown, but not asked for")
    for transformation in panel.get("transformations", []):
        if transformation["id"] == "groupingToMatrix":
            options = transformation["options"]
            found += [
                f"{options[key]} is shown, but not asked for"
                for key in ("columnField", "rowField")
                if options[key] not in names
            ]
    return found


def opensearch(chosen: str) -> tuple[list[Question], list[str]]:
    """The questions of OpenSearch Dashboards' objects, with a filter beside; what is wrong."""
    text = (DASHBOARDS / "guidellm-opensearch.ndjson").read_text()
    objects = [json.loads(line) for line in text.splitlines()]
    known = {(each["type"], each["id"]) for each in objects}
    questions, found = [], []
    if len(known) != len(objects):
        found.append("two objects share an id")
    for each in objects:
        for reference in each["references"]:
            if (reference["type"], reference["id"]) not in known:
                found.append(f"{each['id']}: refers to {reference['id']}, which is not there")
        attributes = each["attributes"]
        if each["type"] == "dashboard":
            found += check_panels(each)
        if each["type"] not in ("visualization", "search"):
            continue
        source = json.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])
        query = lucene(source["query"]["query"])
        query = f"({query}) AND {chosen}" if query else chosen
        if each["type"] == "search":
            questions.append(Question(attributes["title"], query, [], [], attributes["columns"]))
            continue
        state = json.loads(attributes["visState"])
        for control in state["params"].get("controls", []):
            questions.append(
                Question(
                    f"control {control['label']}", query,
                    [("1", "count", None, [])], [("terms", control["fieldName"])],
                )
            )  # fmt: skip
        if state["aggs"]:
            questions.append(
                Question(attributes["title"], query, *visualised(state["aggs"])),
            )
    return questions, found


def visualised(aggregations: list[dict]) -> tuple[list, list]:
    """Metrics and buckets of a visualization."""
    metrics, buckets = [], []
    for each in aggregations:
        params = each["params"]
        if each["schema"] == "metric":
            metrics.append((each["id"], each["type"], params.get("field"), percents(params)))
        else:
            buckets.append((each["type"], params["field"]))
    return metrics, buckets


def lucene(text: str) -> str:
    """Of the other query language, the little that is used."""
    text = re.sub(r"\s*:\s*", ":", text)
    return text.replace(" or ", " OR ").replace(" and ", " AND ").replace(" not ", " NOT ")


def check_panels(dashboard: dict) -> list[str]:
    """Panels that nothing is behind, or that lie on another."""
    names = {each["name"] for each in dashboard["references"]}
    found, taken = [], set()
    for panel in json.loads(dashboard["attributes"]["panelsJSON"]):
        if panel["panelRefName"] not in names:
            found.append(f"{panel['panelRefName']}: nothing is behind it")
        grid = panel["gridData"]
        own = {
            (x, y)
            for x in range(grid["x"], grid["x"] + grid["w"])
            for y in range(grid["y"], grid["y"] + grid["h"])
        }
        if own & taken or grid["x"] + grid["w"] > 48:
            found.append(f"panel {panel['panelIndex']} lies on another, or outside")
        taken |= own
    return found


def fill(server: Server, binary: str) -> list[str]:
    """All fixtures, and of each metric that a profile collects a sample; the runs."""
    for job, folder in (("steady-chat-10", "0.8.1"), ("bursty", "0.7.3")):
        command = ("index", f"{REPORTS}/{folder}", "--es-server", server.url, "--es-index", INDEX)
        code, _, told = indexer(binary, *command, "-j", job)
        if code:
            raise RuntimeError(told)
    body = {"size": 0, "aggs": {"runs": {"terms": {"field": "uuid.keyword", "size": 100}}}}
    server.call("POST", f"{INDEX}/_refresh")
    answer = server.call("POST", f"{INDEX}/_search", body)[1]
    runs = [bucket["key"] for bucket in answer["aggregations"]["runs"]["buckets"]]
    profiles = "".join(path.read_text() for path in (ROOT / "manifests/metrics").glob("*.yml"))
    lines = []
    for run in runs:
        own = {"uuid": run, "timestamp": "2026-11-24T06:00:00Z", "jobName": "steady-chat-10"}
        for name in sorted(set(re.findall(r"metricName: (\S+)", profiles))):
            lines += [{"index": {}}, own | {"metricName": name, "value": 0.5, "query": "q"}]
        del own["jobName"]
        lines += [{"index": {}}, JOB_SUMMARY | own | {"jobConfig": {"name": "steady-chat-10"}}]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    status, answer = server.call("POST", f"{INDEX}/_bulk?refresh=true", text)
    if status != 200 or answer["errors"]:
        raise RuntimeError(f"{status}: {json.dumps(answer)[:500]}")
    return runs


def ask(server: Server, question: Question) -> list[str]:
    """What is wrong with a question, or with what is answered."""
    found = []
    wanted = question.fields()
    caps = server.call("GET", f"{INDEX}/_field_caps?fields={','.join(wanted)}")[1]["fields"]
    for name, ability in wanted.items():
        kinds = caps.get(name, {})
        if not kinds:
            found.append(f"{name} is not mapped")
        elif not all(kind[ability] for kind in kinds.values()):
            found.append(f"{name} is not {ability}")
    status, answer = server.call("POST", f"{INDEX}/_search", question.body())
    if status != 200:
        return [*found, f"{status}: {json.dumps(answer)[:300]}"]
    return found + question.check(answer)


def check(server: Server, binary: str, tally: Tally) -> None:
    """Every panel, with everything chosen and with little."""
    runs = fill(server, binary)
    mixed = json.loads((Path(REPORTS) / "0.8.1/constant_mixed.json").read_text())
    own = mixed["benchmarks"][0]["config"]["run_id"]
    other = next(run for run in runs if run != own)
    pair = {"baseline": f'"{own}"', "candidate": f'"{other}"'}
    one = {"uuid": f'("{own}")', "jobName": '("steady-chat-10")', "index": f'("{INDEX}")'}
    for name, (questions, wrong) in {
        "Grafana, all": grafana(pair),
        "Grafana, one run": grafana(pair | one),
        "OpenSearch Dashboards, all": opensearch("*"),
        "OpenSearch Dashboards, one run": opensearch(f'uuid.keyword:"{own}"'),
    }.items():
        tally.add(f"{server.name}: {name}: its parts fit", wrong)
        for question in questions:
            tally.add(f"{server.name}: {name}: {question.name}", ask(server, question))


def main(binary: str, servers: list[str]) -> int:
    """Exit code."""
    tally = Tally()
    for name in servers:
        with Server(name) as server:
            check(server, binary, tally)
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
