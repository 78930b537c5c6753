"""Conditions of objects as Istio sets them; pure."""

import time

PENDING = ("Unknown", "Pending", "Waiting for controller")


class Held(dict):
    """What is held back: "Gateway/Programmed" and the like, to "Unknown" or "False"."""

    def conditions(
        self, kind: str, old: list[dict], generation: int, wanted: dict[str, tuple]
    ) -> list[dict]:
        """Conditions by their types: (status, reason, message), unless they are held back."""
        made = []
        for name, told in wanted.items():
            match self.get(f"{kind}/{name}"):
                case "Unknown":
                    told = PENDING
                case "False":
                    told = ("False", "Invalid", "refused as the test asked for")
            made.append(condition(old, name, generation, *told))
        return made


def condition(
    old: list[dict], name: str, generation: int, status: str, reason: str, message: str
) -> dict:
    """A condition. Its time is that of the change, so it needs to know what was before."""
    before = next((it for it in old if it["type"] == name and it["status"] == status), {})
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {
        "type": name, "status": status, "reason": reason, "message": message,
        "observedGeneration": generation,
        "lastTransitionTime": before.get("lastTransitionTime", now),
    }  # fmt: skip


def yes(reason: str, message: str = "") -> tuple[str, str, str]:
    """What is true."""
    return "True", reason, message


def no(reason: str, message: str = "") -> tuple[str, str, str]:
    """What is not."""
    return "False", reason, message


def parent(old: list[dict], reference: dict, controller: str) -> tuple[dict, list[dict]]:
    """An entry for a parent without its conditions, and those that it had."""
    entry = {"parentRef": reference, "controllerName": controller}
    for before in old:
        if before.get("controllerName") == controller and same(before["parentRef"], reference):
            return entry, before.get("conditions", [])
    return entry, []


def same(one: dict, other: dict) -> bool:
    """Whether two references mean the same parent; the API server fills in the rest."""
    return all(one.get(key) == it for key, it in other.items() if key in one)
