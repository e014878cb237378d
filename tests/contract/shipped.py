"""The rules and dashboards that we ship, as tests read them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from shared.generate import DASHBOARDS
from tests.contract.promql import Series, exposed, result_labels

ROOT = Path(__file__).resolve().parents[2]
RULES = sorted((ROOT / "deploy" / "prometheus" / "rules").glob("*.yml"))

Rule = dict[str, Any]


def rules() -> list[Rule]:
    """Every rule of every group, recording rules and alerts."""
    files = [yaml.safe_load(file.read_text("utf-8")) for file in RULES]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def alerts() -> list[Rule]:
    return [rule for rule in rules() if "alert" in rule]


def known() -> dict[str, Series]:
    """What may be asked for: what is exposed, and what is recorded from it."""
    found = exposed()
    for rule in rules():
        if "record" in rule:
            found[rule["record"]] = Series("gauge", result_labels(rule["expr"], found))
    return found


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every panel with queries, with its dashboard's name."""
    for file in sorted(DASHBOARDS.glob("*.json")):
        for panel in json.loads(file.read_text("utf-8"))["panels"]:
            if panel["type"] != "row":
                yield f"{file.stem}: {panel['title']}", panel


def queries() -> Iterator[tuple[str, str]]:
    """Every expression of rules and panels, with where it stands."""
    for rule in rules():
        yield rule.get("alert") or rule["record"], rule["expr"]
    for name, panel in panels():
        for target in panel["targets"]:
            yield name, target["expr"]
