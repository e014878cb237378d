"""Debian's PostgreSQL with TLS alone: the local stack's own has none."""

from dataclasses import replace
from pathlib import Path

from shared.db import AUDITOR
from shared.local.ports import LOOPBACK
from shared.local.postgres import SETTINGS, SUPERUSER, Postgres
from shared.local.unprivileged import Home
from tests.integration.transport.certificates import Authority

# Whoever comes in plain finds no line for it; the auditor comes by its certificate.
HBA = f"""\
hostssl all {AUDITOR} {LOOPBACK}/32 cert
hostssl all all {LOOPBACK}/32 scram-sha-256
"""


class TlsPostgres(Postgres):
    """As the local stack's, from another folder of programs, and with TLS."""

    initdb = (
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--no-instructions",
        f"--username={SUPERUSER}",
    )
    settings = {name: value for name, value in SETTINGS.items() if name != "io_method"} | {
        "ssl": "on",
        "ssl_cert_file": "server.crt",
        "ssl_key_file": "server.key",
        "ssl_ca_file": "ca.pem",
        "hba_file": "hba.conf",
    }

    def __init__(self, data_dir: Path, programs: Path, authority: Authority) -> None:
        super().__init__(data_dir)
        self._programs, self._authority = programs, authority

    def _home(self) -> Home:
        return replace(super()._home(), programs=self._programs)

    def _initialise(self, home: Home) -> None:
        super()._initialise(home)
        certificate, key = self._authority.issue("database", [LOOPBACK])
        files = {"server.crt": certificate, "server.key": key, "ca.pem": self._authority.ca}
        contents = {name: file.read_bytes() for name, file in files.items()}
        for name, content in {**contents, "hba.conf": HBA.encode()}.items():
            (home.data / name).touch(mode=0o600)
            (home.data / name).write_bytes(content)
            home.give(home.data / name)
