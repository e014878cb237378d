"""Every service over a locked transport, each as its own user with its own rights and no more."""

import shutil
from pathlib import Path

from services.auditor.main import status, verify
from services.simulator.main import simulate, starting_for
from shared.clock import system_now
from shared.events.accounting import InvoicePosted
from shared.local.fleet import Fleet
from shared.local.mailsink import MailSink
from shared.producer import publish
from shared.settings import Settings, kafka_files
from shared.testing import read_topic
from shared.topology import BY_EVENT, consumers, role_of
from tests.integration.runtime.instances import until

POSTED = BY_EVENT[InvoicePosted].name
PRICER, INVOICER = role_of("pricer"), role_of("invoicer")
BY_CERTIFICATE = ("pricer", "ledger_writer", "notifier")


def test_a_job_is_posted_though_nobody_may_more_than_the_map_says(
    pipeline: Settings, by_certificate: Settings, tmp_path: Path
) -> None:
    """Given half of the services with passwords, half with certificates, then the books balance.

    If it failed: a right would be missing on the map, or one of the two ways would not work.
    """
    over = {
        "kafka_bootstrap_servers": by_certificate.kafka_bootstrap_servers,
        "kafka_security_protocol": by_certificate.kafka_security_protocol,
    }
    with MailSink(tmp_path / "mail") as sink:
        own = pipeline.model_copy(update={"data_dir": tmp_path, "smtp_port": sink.port})
        fleets = Fleet(own), Fleet(own.model_copy(update=over))
        try:
            for service in consumers():
                fleets[service.name in BY_CERTIFICATE].start(service.name)
            publish(own, simulate(3, 1, starting=starting_for(3, system_now().date())), "simulator")
            for fleet in fleets:
                fleet.wait_ready()
            until(lambda: read_topic(own, POSTED), "an invoice posted")
            until(lambda: status(own).is_settled, "nothing in flight")
            report = verify(own)
        finally:
            codes = [code for fleet in fleets for code in fleet.stop()]
    assert report.is_sound, report
    assert codes == [0] * len(consumers())


def test_a_service_that_is_not_let_in_waits_and_says_what_to_look_at(
    pipeline: Settings, tmp_path: Path
) -> None:
    """Given a wrong password for the broker, or for the database, then a person knows which."""
    folder = tmp_path / "wrong"
    shutil.copytree(_folder(pipeline), folder)
    for name in (kafka_files(PRICER)[0], INVOICER):
        (folder / name).write_text("not the one", "ascii")
    fleet = Fleet(pipeline.model_copy(update={"data_dir": tmp_path, "secrets_dir": folder}))
    try:
        pricer, invoicer = fleet.start("pricer"), fleet.start("invoicer")
        until(
            lambda: "KAFKA_SASL_PASSWORD, or the file" in pricer.log.read_text(),
            "the pricer's word",
        )
        until(lambda: "COLOPHON_DATABASE_URL=" in invoicer.log.read_text(), "the invoicer's word")
        assert "invalid credentials" in pricer.log.read_text()
        assert "passwords of roles stand in COLOPHON_SECRETS_DIR" in invoicer.log.read_text()
        for child in (pricer, invoicer):
            assert not child.is_ready()
            assert "not the one" not in child.log.read_text()
    finally:
        codes = fleet.stop()
    assert codes == [0, 0]


def _folder(settings: Settings) -> Path:
    assert settings.secrets_dir
    return settings.secrets_dir
