"""A print house without processes: every service in turn, on one database, with real topics."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from shared import topics
from shared.local.environment import local_settings
from shared.local.mailsink import MailSink
from shared.migrate import bring_up
from shared.runtime.service import load_service
from shared.settings import Settings
from shared.topology import consumers
from tests.integration.auditor.house import House
from tests.integration.servers import servers


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Servers of each module's own: `verify` would also read what other tests left in topics."""
    with servers(tmp_path_factory.mktemp("stack")) as endpoints:
        yield local_settings(endpoints)


@pytest.fixture(scope="module")
def house(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Every service migrated, nothing fed in."""
    folder: Path = tmp_path_factory.mktemp("house")
    specs = [load_service(service.name) for service in consumers()]
    bring_up(settings, specs)
    topics.apply(settings, topics.plan(settings))
    with ExitStack() as stack:
        sink = stack.enter_context(MailSink(folder / "mail"))
        own = {"data_dir": folder, "clock_file": folder / "clock", "smtp_port": sink.port}
        yield stack.enter_context(House(settings.model_copy(update=own), specs))
