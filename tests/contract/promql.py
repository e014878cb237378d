"""Reads the selectors out of a PromQL expression, and says what is wrong with them.

promtool knows the language but not our metrics: a rule over a name that nobody exposes is a rule
that never fires, and nothing says so. So names, labels, types and buckets are held to
`shared.metrics`, and values of labels to the map and to the code.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from shared import metrics
from shared.topology import SERVICE, TOPICS

ROOT = Path(__file__).resolve().parents[2]
TOKEN = re.compile(
    r'\s*(?:(?P<string>"(?:\\.|[^"\\])*")|(?P<range>\[[^\]]*\])'
    r"|(?P<number>\d[\w.]*)|(?P<name>[A-Za-z_:][\w:]*)|(?P<sign>[=!]~|[=!<>]=|\S))"
)
AGGREGATIONS: Final = {"sum", "min", "max", "avg", "count", "topk", "bottomk", "quantile"}
OPERATORS: Final = {"and", "or", "unless", "bool"}
MATCHING: Final = {"on", "ignoring", "group_left", "group_right"}
OF_COUNTERS: Final = {"rate", "irate", "increase"}
OF_GAUGES: Final = {f"{how}_over_time" for how in ("max", "min", "avg", "sum", "last")} | {"delta"}
SCRAPED: Final = {"job", "instance"}


@dataclass(frozen=True)
class Around:
    """A function or aggregation around a selector; `by` is what it keeps, None without `by`."""

    name: str
    by: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Selector:
    """`name{matchers}[range]`, and what stands around it, the innermost last."""

    name: str
    matchers: tuple[tuple[str, str, str], ...]
    is_range: bool
    around: tuple[Around, ...]

    def values(self) -> Iterator[tuple[str, str]]:
        """Label and each value that it is compared with, alternatives of a pattern one by one."""
        for label, sign, value in self.matchers:
            for one in value.split("|") if sign.endswith("~") else (value,):
                yield label, one


@dataclass(frozen=True)
class Series:
    """What may be selected: a name as it is exposed, or as a rule records it."""

    kind: str
    labels: frozenset[str]
    buckets: frozenset[str] = frozenset()


class Unreadable(Exception):
    """The expression is none, or one that this reader does not know."""


def selectors(expression: str) -> list[Selector]:
    """Every selector of `expression`."""
    return list(_Reader(expression).read())


@dataclass
class _Reader:
    expression: str

    def read(self) -> Iterator[Selector]:
        self._tokens = [
            (found.lastgroup or "", found[found.lastgroup or 0])
            for found in TOKEN.finditer(self.expression)
        ]
        self._at = 0
        self._around: list[Around] = []
        while self._at < len(self._tokens):
            kind, text = self._take()
            if kind == "name" and text not in OPERATORS:
                yield from self._named(text)
            elif text == "(":
                self._around.append(Around(""))
            elif text == ")" and self._around:
                self._around.pop()
            elif kind == "range" or text in "{})":
                raise Unreadable(self.expression)
        if self._around:
            raise Unreadable(self.expression)

    def _named(self, name: str) -> Iterator[Selector]:
        if name in ("by", "without"):
            raise Unreadable(self.expression)
        if name in MATCHING:
            self._labels()
        elif name == "offset":
            self._take()
        elif name in AGGREGATIONS:
            self._around.append(self._aggregation(name))
        elif self._next() == "(":
            self._take()
            self._around.append(Around(name))
        else:
            yield self._selector(name)

    def _next(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _take(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise Unreadable(self.expression)
        self._at += 1
        return self._tokens[self._at - 1]

    def _aggregation(self, name: str) -> Around:
        """`sum by (a, b) (`: the labels stand before what is summed, here as everywhere."""
        by: tuple[str, ...] | None = None
        if self._next() == "by":
            self._take()
            by = self._labels()
        if self._take()[1] != "(":
            raise Unreadable(self.expression)
        return Around(name, by)

    def _labels(self) -> tuple[str, ...]:
        found = []
        if self._take()[1] != "(":
            raise Unreadable(self.expression)
        while (text := self._take()[1]) != ")":
            if text != ",":
                found.append(text)
        return tuple(found)

    def _selector(self, name: str) -> Selector:
        matchers = []
        if self._next() == "{":
            self._take()
            while (label := self._take()[1]) != "}":
                if label != ",":
                    matchers.append((label, self._take()[1], self._take()[1].strip('"')))
        is_range = self._at < len(self._tokens) and self._tokens[self._at][0] == "range"
        if is_range:
            self._take()
        return Selector(name, tuple(matchers), is_range, tuple(self._around))


# ---------------------------------------------------------------- what there is to select


def exposed() -> dict[str, Series]:
    """Every series that services expose, and what Prometheus adds."""
    found = {
        "up": Series("gauge", frozenset(SCRAPED)),
        "ALERTS": Series("gauge", frozenset({"alertname", "alertstate", "severity"})),
    }
    for metric in vars(metrics).values():
        if isinstance(metric, Counter | Gauge | Histogram):
            labels = frozenset(metric._labelnames) | SCRAPED
            name = metric._name
            if isinstance(metric, Histogram):
                buckets = frozenset(str(bound) for bound in metric._upper_bounds)
                found[f"{name}_bucket"] = Series("bucket", labels | {"le"}, buckets)
                found |= {f"{name}_{part}": Series("counter", labels) for part in ("count", "sum")}
            elif isinstance(metric, Counter):
                found[f"{name}_total"] = Series("counter", labels)
            else:
                found[name] = Series("gauge", labels)
    return found


def result_labels(expression: str, known: Mapping[str, Series]) -> frozenset[str]:
    """What the result is labelled by: what its outermost aggregations keep, or its series have."""
    kept: set[str] = set()
    for selector in selectors(expression):
        aggregations = [one for one in selector.around if one.name in AGGREGATIONS]
        labels = aggregations[0].by or () if aggregations else known[selector.name].labels
        kept.update(labels)
    return frozenset(kept)


@cache
def words_of_the_code() -> frozenset[str]:
    """Every text constant of the services and the runtime: what a label's value may be."""
    files = [file for top in ("services", "shared") for file in (ROOT / top).rglob("*.py")]
    return frozenset(
        node.value
        for file in files
        if file.name != "dashboards.py"
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


# ---------------------------------------------------------------- what can be wrong


def problems(expression: str, known: Mapping[str, Series]) -> Iterator[str]:
    """Everything about `expression` that does not fit what is exposed and recorded."""
    for selector in selectors(expression):
        series = known.get(selector.name)
        if series is None:
            yield f"{selector.name}: nobody exposes it"
            continue
        for finding in (
            *_wrong_labels(selector, series),
            *_wrong_values(selector, series),
            *_wrong_use(selector, series),
        ):
            yield f"{selector.name}: {finding}"


def _wrong_labels(selector: Selector, series: Series) -> Iterator[str]:
    named = {label for label, _, _ in selector.matchers}
    if not any(one.name == "label_replace" for one in selector.around):
        named |= {label for one in selector.around for label in one.by or ()}
    for label in sorted(named - series.labels):
        yield f"it has no label {label}"


def _wrong_values(selector: Selector, series: Series) -> Iterator[str]:
    topics = {topic.name for topic in TOPICS}
    for label, value in selector.values():
        if label == "le":
            good = value in series.buckets
        elif label in ("service", "job"):
            good = value in SERVICE and SERVICE[value].port is not None
        elif label == "topic":
            good = value in topics
        else:
            good = selector.name == "ALERTS" or value in words_of_the_code()
        if not good:
            yield f'nothing has {label}="{value}"'


def _wrong_use(selector: Selector, series: Series) -> Iterator[str]:
    inner = selector.around[-1].name if selector.around else ""
    names = [one.name for one in selector.around]
    if series.kind == "gauge":
        if inner in OF_COUNTERS:
            yield f"{inner}() of a gauge"
        if selector.is_range != (inner in OF_GAUGES):
            yield "a range without a function of ranges, or the other way round"
    elif inner not in OF_COUNTERS or not selector.is_range:
        yield "a counter that is not inside rate() or increase() over a range"
    if series.kind == "bucket":
        at = names.index("histogram_quantile") if "histogram_quantile" in names else None
        is_bounded = any(label == "le" for label, _, _ in selector.matchers)
        if at is None and not is_bounded:
            yield "buckets that nobody reads one of, nor a quantile from"
        if at is not None and any("le" not in (one.by or ()) for one in selector.around[at + 1 :]
                                  if one.name in AGGREGATIONS):  # fmt: skip
            yield "a quantile without the bounds of its buckets"
    elif "histogram_quantile" in names:
        yield "a quantile of what has no buckets"
