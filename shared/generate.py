"""What is made from the map, so that it cannot lie: parts of the READMEs, and the dashboards.

`python -m shared.generate` writes them, `--check` only says whether they are up to date. A part
stands between `<!-- generated:NAME -->` and `<!-- /generated:NAME -->`.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from shared.dashboards import dashboards
from shared.errors import ConfigurationError
from shared.rights import due, roles
from shared.topology import (
    SERVICES,
    TOPICS,
    Service,
    Topic,
    consumed_by,
    dead_letter_topics,
    produced_by,
)

ROOT: Final = Path(__file__).resolve().parent.parent
DASHBOARDS: Final = ROOT / "deploy" / "grafana" / "dashboards"


def parts() -> Iterator[tuple[Path, str, str]]:
    """Every generated part: the file, the name of the part, its text."""
    readme = ROOT / "README.md"
    yield readme, "topics", _topics_table()
    yield readme, "diagram", _diagram()
    yield readme, "services", _services_table()
    yield ROOT / "deploy" / "README.md", "rights", _rights_table()
    for service in SERVICES:
        if not service.planned and (consumed_by(service.name) or produced_by(service.name)):
            yield ROOT / "services" / service.name / "README.md", "topics", _in_and_out(service)


def stale() -> list[Path]:
    """Write nothing; the files that are not up to date."""
    return [file for file, text in _renewed().items() if _text(file) != text]


def write() -> list[Path]:
    """Bring every file up to date and return the files that changed."""
    changed = stale()
    for file, text in _renewed().items():
        if file in changed:
            file.write_text(text, "utf-8")
    return changed


def _text(file: Path) -> str | None:
    return file.read_text("utf-8") if file.exists() else None


def _renewed() -> dict[Path, str]:
    texts = {DASHBOARDS / name: text for name, text in dashboards()}
    for file, name, content in parts():
        before = texts.get(file) or file.read_text("utf-8")
        begin, end = f"<!-- generated:{name} -->", f"<!-- /generated:{name} -->"
        if begin not in before or end not in before:
            msg = f"{file.relative_to(ROOT)} has no part {begin} ... {end}"
            raise ConfigurationError(msg)
        before_part, _, rest = before.partition(begin)
        after_part = rest.partition(end)[2]
        texts[file] = f"{before_part}{begin}\n{content}\n{end}{after_part}"
    return texts


def _topics_table() -> str:
    rows = [
        "| topic | key | why this key | unique by | from | to | kept |",
        "|---|---|---|---|---|---|---|",
    ]
    rows += [
        f"| `{t.name}` | `{t.key}` | {t.key_why} | {', '.join(t.business_key)} |"
        f" {', '.join(t.producers)} | {', '.join(_readers(t))} | {_kept(t)} |"
        for t in TOPICS
    ]
    return "\n".join(rows)


def _kept(topic: Topic) -> str:
    if topic.cleanup_policy == "compact":
        return "compacted"
    return "for ever" if topic.retention_ms < 0 else f"{topic.retention_ms // 86_400_000} days"


def _readers(topic: Topic) -> Iterator[str]:
    """Those that read `topic`, and in italics those that will."""
    planned = {*topic.later, *(service.name for service in SERVICES if service.planned)}
    for name in (*topic.consumers, *topic.later):
        yield f"*{name}*" if name in planned else name


def _services_table() -> str:
    rows = ["| service | what it does | port |", "|---|---|---|"]
    for service in SERVICES:
        link = f"[{service.name}](services/{service.name}/README.md)"
        name = f"*{service.name}* (later)" if service.planned else link
        rows.append(f"| {name} | {service.job} | {service.port or ''} |")
    return "\n".join(rows)


def _rights_table() -> str:
    """For each user of Kafka, the topics that it reads and writes, and what else it may."""
    rows = ["| user | reads | writes | besides |", "|---|---|---|---|"]
    letters = dead_letter_topics()
    for role in roles():
        mine = sorted(right for right in due() if right.role == role)
        facts = [right for right in mine if right.kind == "topic" and right.name not in letters]
        cells = [
            "<br>".join(f"`{right.name}`" for right in facts if right.operation == operation)
            for operation in ("read", "write")
        ]
        besides = [
            f"{one.operation} {one.kind} `{one.name}`" for one in mine if one.kind != "topic"
        ]
        if any(right.name in letters for right in mine):
            besides.append("write its dead-letter topics")
        rows.append(f"| `{role}` | {' | '.join(cells)} | {'<br>'.join(besides)} |")
    return "\n".join(rows)


def _diagram() -> str:
    """A Mermaid flowchart of the services that exist and the events between them."""
    built = {service.name for service in SERVICES if not service.planned}
    lines = ["```mermaid", "flowchart LR"]
    for topic in TOPICS:
        event = topic.name.split(".")[1]
        sources = [p for p in topic.producers if p in built and p not in ("ingest", "simulator")]
        sources = sources or [topic.producers[0]]
        targets = [c for c in topic.consumers if c in built or c == "accounting"]
        lines += [
            f"  {_node(s)} -- {event} --> {_node(t)}"
            for s in sources
            for t in targets
            if not topic.name.startswith("masterdata.")
        ]
    return "\n".join([*lines, "```"])


def _node(name: str) -> str:
    return f"{re.sub(r'[^A-Za-z]', '_', name)}[{name}]"


def _in_and_out(service: Service) -> str:
    taken = consumed_by(service.name)
    given = produced_by(service.name)
    lines = ["| | topic | key |", "|---|---|---|"]
    lines += [f"| in | `{topic.name}` | `{topic.key}` |" for topic in taken]
    lines += [
        f"| in, later | `{topic.name}` | `{topic.key}` |"
        for topic in TOPICS
        if service.name in topic.later
    ]
    lines += [f"| out | `{topic.name}` | `{topic.key}` |" for topic in given]
    lines += [
        f"| dead letters | `{topic.dead_letters(service.name)}` | as the source |"
        for topic in taken
    ]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Write, or with --check only compare; 1 when something was stale."""
    if arguments == ["--check"]:
        found = stale()
        for file in found:
            sys.stderr.write(f"{file.relative_to(ROOT)} is stale: run make generate\n")
        return 1 if found else 0
    for file in write():
        sys.stdout.write(f"{file.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
