"""docker-compose.yml and the Prometheus configuration say what the map and the settings say.

No Docker engine is needed, and none is used: whether the containers run is not tested here.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.db import AUDITOR, OPERATOR, OWNER
from shared.local.registry import ARCHIVE
from shared.settings import PREFIX, Settings
from shared.topology import SERVICES, consumers

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
PROMETHEUS = ROOT / "deploy" / "prometheus" / "prometheus.yml"
DOCKERFILE = (ROOT / "deploy" / "docker" / "Dockerfile").read_text("utf-8")
CONSUMERS = {one.name: one for one in consumers()}

Container = dict[str, Any]


def ours() -> dict[str, Container]:
    """The containers that run this project's image, by name."""
    return {name: one for name, one in COMPOSE["services"].items() if one["image"] == "colophon"}


def running() -> dict[str, Container]:
    """Those among them that run a service, by the name of the service."""
    return {
        one["command"][1]: one for one in ours().values() if one.get("command", [""])[0] == "run"
    }


def test_compose_runs_every_service_of_the_map_on_its_port() -> None:
    ports = {name: one["ports"] for name, one in running().items()}
    assert ports == {name: [f"127.0.0.1:{one.port}:{one.port}"] for name, one in CONSUMERS.items()}
    assert [name for name in running() if name not in COMPOSE["services"]] == []


def test_prometheus_scrapes_every_service_of_the_map() -> None:
    jobs = yaml.safe_load(PROMETHEUS.read_text("utf-8"))["scrape_configs"]
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in jobs}
    assert targets == {name: [f"{name}:{one.port}"] for name, one in CONSUMERS.items()}


def test_prometheus_has_its_rules_and_keeps_what_the_budgets_look_back_on() -> None:
    server = COMPOSE["services"]["prometheus"]
    rules = yaml.safe_load(PROMETHEUS.read_text("utf-8"))["rule_files"]
    assert [file for pattern in rules for file in PROMETHEUS.parent.glob(pattern)] != []
    assert "./deploy/prometheus:/etc/prometheus:ro" in server["volumes"]
    assert f"--config.file=/etc/prometheus/{PROMETHEUS.name}" in server["command"]
    kept = [re.fullmatch(r"--storage.tsdb.retention.time=(\d+)d", one) for one in server["command"]]
    assert [int(found[1]) > 30 for found in kept if found] == [True]


def test_grafana_is_given_the_dashboards_where_it_looks_for_them() -> None:
    folder = ROOT / "deploy" / "grafana" / "provisioning" / "dashboards"
    (provider,) = yaml.safe_load((folder / "colophon.yml").read_text("utf-8"))["providers"]
    mounted = COMPOSE["services"]["grafana"]["volumes"]
    assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in mounted


def test_a_service_is_given_its_own_password_and_no_other() -> None:
    roles = {one.role for one in SERVICES} | {OWNER, AUDITOR, OPERATOR}
    given = {name: set(one["secrets"]) & roles for name, one in running().items()}
    assert given == {name: {one.role} for name, one in CONSUMERS.items()}


def test_migration_is_given_the_password_of_every_role_it_makes() -> None:
    roles = {one.role for one in CONSUMERS.values()} | {OWNER, AUDITOR, OPERATOR}
    assert set(COMPOSE["services"]["migrate"]["secrets"]) == roles
    assert COMPOSE["services"]["postgres"]["environment"]["POSTGRES_USER"] == OWNER


def test_services_start_after_migration_and_topics() -> None:
    waits = [
        {name: how["condition"] for name, how in one["depends_on"].items()}
        for one in running().values()
    ]
    done = "service_completed_successfully"
    assert waits == [{"migrate": done, "topics": done}] * len(CONSUMERS)


def test_every_setting_that_is_given_exists() -> None:
    in_dockerfile = set(re.findall(r"^\s+(COLOPHON_\w+)=", DOCKERFILE, re.MULTILINE))
    given = {name for one in ours().values() for name in one["environment"]} | in_dockerfile
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    assert len(given) > 5
    assert given - known == set()


def test_secrets_are_files_that_the_script_makes(tmp_path: Path) -> None:
    # Given the compose file in an empty project
    script = tmp_path / "deploy" / "docker" / "make-secrets.sh"
    script.parent.mkdir(parents=True)
    shutil.copy(ROOT / "deploy" / "docker" / "make-secrets.sh", script)
    shutil.copy(ROOT / "docker-compose.yml", tmp_path)
    # When the script runs twice
    first, second = (_secrets(script) for _ in range(2))
    # Then each secret has a file, different from the others, and the second run changed none
    named = {Path(one["file"]).name for one in COMPOSE["secrets"].values()}
    used = {secret for one in COMPOSE["services"].values() for secret in one.get("secrets", ())}
    assert set(first) == named == used == set(COMPOSE["secrets"])
    assert len(set(first.values())) == len(named)
    assert {len(value) for value in first.values()} == {32}
    assert second == first
    assert (script.parent / "secrets").stat().st_mode & 0o077 == 0


def _secrets(script: Path) -> dict[str, str]:
    subprocess.run([script], check=True, capture_output=True, env={"PATH": os.defpath})
    return {file.name: file.read_text("ascii") for file in (script.parent / "secrets").iterdir()}


def test_no_password_stands_in_the_compose_file() -> None:
    values = {
        f"{name} {key}": str(value)
        for name, one in COMPOSE["services"].items()
        for key, value in one.get("environment", {}).items()
    }
    revealing = [key for key in values if re.search(r"PASSWORD|SECRET|KEY|TOKEN", key)]
    assert [key for key in revealing if not values[key].startswith("/run/secrets/")] == []
    assert [key for key, value in values.items() if re.search(r"://[^/@]*:[^/@]*@", value)] == []


def test_images_are_pinned_to_a_version() -> None:
    images = [one["image"] for one in COMPOSE["services"].values() if one["image"] != "colophon"]
    images += re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert [image for image in images if not re.search(r":v?\d+(\.\d+)*(-\w+)*$", image)] == []


def test_nothing_listens_beyond_the_machine() -> None:
    ports = [port for one in COMPOSE["services"].values() for port in one.get("ports", ())]
    assert len(ports) > len(CONSUMERS)
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_the_broker_is_the_one_that_the_tests_run() -> None:
    jars = (ROOT / "shared" / "local" / "kafka-jars.lock").read_text("utf-8")
    image = COMPOSE["services"]["kafka"]["image"]
    assert f"org.apache.kafka:kafka_2.13:{image.partition(':')[2]}\n" in jars


def test_the_registry_is_the_one_that_the_tests_run() -> None:
    version = ARCHIVE.parts[2]
    assert COMPOSE["services"]["registry"]["image"] == f"apicurio/apicurio-registry:{version}"


def test_the_image_copies_what_the_context_lets_in() -> None:
    allowed = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text("utf-8"), re.MULTILINE)
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    assert sorted(copied) == sorted(allowed)
    assert [source for source in copied if not (ROOT / source).exists()] == []


@pytest.mark.tools("promtool")
def test_prometheus_accepts_its_configuration() -> None:
    run = subprocess.run(
        ["promtool", "check", "config", PROMETHEUS], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
