"""One schema registry in a folder: Apicurio Registry, spoken to as Confluent's.

It is fetched once per user, checked by its sum, unpacked, and started on the Java that Kafka has.
What it knows is kept in a file of the folder, since records name their schemas by its ids.
"""

import shutil
import signal
import tarfile
import tempfile
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from pathlib import Path, PurePosixPath

from shared.local.downloads import Download, Product
from shared.local.errors import LocalStackError
from shared.local.java import SERVER_ENVIRONMENT, SERVER_OPTIONS, find_java
from shared.local.ports import LOOPBACK, http_status, remembered_ports
from shared.local.server import Launch, Server

PRODUCT = Product("registry", 350, "COLOPHON_SCHEMA_REGISTRY_URL to a registry of your own")
ARCHIVE = Download(
    "io.apicurio:apicurio-registry-app:3.3.3:all:tar.gz",
    "8bc6751c76d963734224b01d5e7f84ccb3cb61c87d3bd77c36c35f10a5cbed63",
)
STOP_SECONDS_MAX = 10.0
ANSWER_SECONDS_MAX = 2.0
_API = "/apis/ccompat/v7"

# WRITE_DELAY: an id that was given out is on the disk; the default forgets half a second's worth.
# Connections: 20 at rest by default, each with its memory.
_OPTIONS = (
    "-Xms64m",
    "-Xmx256m",
    *SERVER_OPTIONS,
    "-Dapicurio.datasource.url=jdbc:h2:file:./schemas;WRITE_DELAY=0",
    "-Dapicurio.datasource.jdbc.initial-size=1",
    "-Dapicurio.datasource.jdbc.min-size=1",
    "-Dapicurio.datasource.jdbc.max-size=10",
    "-Dquarkus.http.access-log.enabled=false",
    "-Dquarkus.log.console.format=%d{yyyy-MM-dd'T'HH:mm:ss.SSSXXX} %p [%c{1.}] %m%n%e",
)


class Registry:
    """The registry of a data directory; `report` is told before a step that may take long."""

    def __init__(self, data_dir: Path, report: Callable[[str], None] = lambda _text: None) -> None:
        self._folder = data_dir / "registry"
        self._report = report
        self._server = Server("The schema registry", self._folder, data_dir / "logs")

    def has_data(self) -> bool:
        """Whether it has been used here, so that records name its ids."""
        return (self._folder / "schemas.mv.db").exists()

    def start(self) -> str:
        """Start, wait until it answers, and return the address of its Confluent-compatible API.

        Raises:
            LocalStackError: It cannot be fetched or started, died, or did not answer.
        """
        return f"http://{LOOPBACK}:{self._server.run(self._prepare).port}{_API}"

    def stop(self) -> None:
        """Stop it cleanly, in bounded time; harmless when it does not run."""
        self._server.stop()

    def end_orphans(self) -> None:
        """See that nothing of an earlier session runs any more; LocalStackError if it does."""
        self._server.end_orphans()

    def _prepare(self) -> Launch:
        java, application = find_java(), installed(self._report)
        temporary = self._folder / "tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        port, management = remembered_ports(self._folder / "ports", 2)
        addresses = (
            f"-Dquarkus.http.host={LOOPBACK}",
            f"-Dquarkus.http.port={port}",
            f"-Dquarkus.management.host={LOOPBACK}",
            f"-Dquarkus.management.port={management}",
        )
        runnable = application / "quarkus-run.jar"
        return Launch(
            command=[java.launcher, *_OPTIONS, *addresses, "-jar", runnable],
            cwd=self._folder,
            env=SERVER_ENVIRONMENT,
            port=port,
            ready=partial(_answers, port),
            stop=[(signal.SIGTERM, STOP_SECONDS_MAX)],
        )


def installed(report: Callable[[str], None]) -> Path:
    """The folder of the unpacked application, fetched and unpacked if it is not there yet.

    The folder is named for the archive's sum, and has its name only when it is whole.

    Raises:
        LocalStackError: It cannot be fetched or stored, or what was fetched has another sum.
    """
    folder = PRODUCT.folder / ARCHIVE.sha256[:16]
    if not folder.exists():
        report("fetching the schema registry, 158 MB, once per user")
        try:
            _install(folder)
        except OSError as error:
            raise PRODUCT.cannot_be_kept(error) from error
    return folder


def _install(folder: Path) -> None:
    from shared.local.maven import fetch  # noqa: PLC0415 -- a warm start needs no HTTP

    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="unpack-") as scratch:
        fetch([ARCHIVE], Path(scratch), PRODUCT)
        whole = Path(scratch) / "whole"
        unpack(Path(scratch) / ARCHIVE.filename, whole)
        try:
            whole.rename(folder)
        except OSError:
            if not folder.exists():  # else another process was faster
                raise


def unpack(archive: Path, folder: Path) -> None:
    """Write the archive's files below `folder`, and nothing else anywhere.

    By hand, since the filter of tarfile came after Python 3.11.0. Raises `LocalStackError` for
    what is neither file nor folder, and for a name that leads elsewhere.
    """
    with tarfile.open(archive) as tar:
        for member in tar:
            name = PurePosixPath(member.name)
            if name.is_absolute() or ".." in name.parts or not (member.isfile() or member.isdir()):
                raise LocalStackError(f"{archive.name} is not unpacked: it holds {member.name!r}.")
            if (content := tar.extractfile(member)) is not None:
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with content, target.open("xb") as out:
                    shutil.copyfileobj(content, out)


def _answers(port: int) -> bool:
    """Whether the API answers on `port`."""
    return http_status(port, f"{_API}/subjects", ANSWER_SECONDS_MAX) == HTTPStatus.OK
