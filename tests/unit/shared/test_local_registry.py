"""When the local stack has a schema registry, and how another terminal learns of it."""

from pathlib import Path

import pytest

from shared.cli import servers
from shared.cli.servers import noted
from shared.local import system
from shared.local.system import LocalSystem
from shared.settings import LOCAL_REGISTRY, Settings, read_settings

RUNNING = "http://127.0.0.1:20001/apis/ccompat/v7"
OTHER = "http://registry:8081"


class FakeRegistry:
    """One that would start at once, on a directory that has or has not had it."""

    used = False

    def __init__(self, *_: object) -> None:
        pass

    def has_data(self) -> bool:
        return self.used

    def start(self) -> str:
        return RUNNING

    def stop(self) -> None:
        pass


@pytest.mark.parametrize(
    ("named", "used", "then"),
    [
        (None, False, None),
        (LOCAL_REGISTRY, False, RUNNING),
        (None, True, RUNNING),
        (OTHER, True, OTHER),
    ],
)
def test_it_runs_where_it_is_wanted_or_records_name_its_ids(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    named: str | None,
    used: bool,  # noqa: FBT001 -- a column of the table
    then: str | None,
) -> None:
    """If it failed: a stack that once had one could not read its own records any more."""
    monkeypatch.setattr(system, "Registry", FakeRegistry)
    monkeypatch.setattr(FakeRegistry, "used", used)
    settings = Settings(schema_registry_url=named)
    assert LocalSystem(tmp_path)._with_registry(settings).schema_registry_url == then


@pytest.mark.parametrize("running", [RUNNING, None])
def test_another_terminal_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, running: str | None
) -> None:
    """If it failed: what it publishes would be in another framing, or in one that nobody reads."""
    own = Settings(
        kafka_bootstrap_servers="127.0.0.1:1", data_dir=tmp_path, schema_registry_url=running
    )
    with noted(own):
        monkeypatch.setenv("COLOPHON_DATA_DIR", str(tmp_path))
        monkeypatch.setenv("COLOPHON_SCHEMA_REGISTRY_URL", LOCAL_REGISTRY)
        read_settings.cache_clear()
        try:
            assert servers.servers().schema_registry_url == running
        finally:
            read_settings.cache_clear()
