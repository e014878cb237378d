"""What somebody is told whose password, certificate, authority or host is not the broker's."""

from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from pydantic import SecretStr

from shared import kafka, topics
from shared.errors import ConfigurationError, Unreachable
from shared.local.ports import LOOPBACK
from shared.settings import Settings, kafka_files
from shared.topology import role_of
from tests.integration.transport.certificates import Authority

PRICER = role_of("pricer")


def refusal(settings: Settings) -> str:
    """What the pricer is told; its password is never in it."""
    client = AdminClient(kafka.client(settings, PRICER))
    with pytest.raises(Unreachable) as refused:
        kafka.metadata(settings, client)
    text = str(refused.value)
    password = settings.kafka_user(PRICER)
    assert password is None or password[1] not in text
    return text


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "ANSWER_S", 0.7)


@pytest.fixture
def other(tmp_path: Path) -> Authority:
    """An authority that the broker does not know."""
    return Authority(tmp_path / "other", "other")


def test_a_wrong_password_names_user_and_password(deployed: Settings) -> None:
    wrong = {
        "secrets_dir": None,
        "kafka_sasl_username": PRICER,
        "kafka_sasl_password": SecretStr("not the one"),
    }
    said = refusal(deployed.model_copy(update=wrong))
    assert "invalid credentials" in said
    assert "COLOPHON_KAFKA_SASL_USERNAME and COLOPHON_KAFKA_SASL_PASSWORD" in said
    assert "<role>_kafka in COLOPHON_SECRETS_DIR" in said


def test_no_password_at_all_is_named_before_anything_is_tried(deployed: Settings) -> None:
    without = deployed.model_copy(update={"secrets_dir": None})
    with pytest.raises(ConfigurationError, match=f"SASL_SSL needs a password for {PRICER}"):
        kafka.client(without, PRICER)


def test_a_mechanism_that_the_broker_does_not_speak_is_named(deployed: Settings) -> None:
    said = refusal(deployed.model_copy(update={"kafka_sasl_mechanism": "PLAIN"}))
    assert "COLOPHON_KAFKA_SASL_MECHANISM must be one of the broker's" in said


def test_a_broker_of_another_authority_is_not_trusted(
    deployed: Settings, by_certificate: Settings, other: Authority
) -> None:
    """If it failed: whoever stands in between could be the broker."""
    for settings in (deployed, by_certificate):
        said = refusal(settings.model_copy(update={"kafka_ssl_ca_location": other.ca}))
        assert "certificate verify failed" in said
        assert "COLOPHON_KAFKA_SSL_CA_LOCATION must hold the authority" in said


def test_a_broker_under_another_name_is_not_trusted(deployed: Settings) -> None:
    """If it failed: any certificate of the authority would do for the broker's."""
    elsewhere = deployed.kafka_bootstrap_servers.replace(LOOPBACK, "localhost")
    said = refusal(deployed.model_copy(update={"kafka_bootstrap_servers": elsewhere}))
    assert "certificate verify failed" in said
    assert "that must name the host as COLOPHON_KAFKA_BOOTSTRAP_SERVERS does" in said


def test_a_listener_for_certificates_wants_one_of_its_authority(
    by_certificate: Settings, other: Authority
) -> None:
    foreign, key = other.issue(PRICER)
    update = {"kafka_ssl_certificate_location": foreign, "kafka_ssl_key_location": key}
    for changes in ({}, update):
        said = refusal(by_certificate.model_copy(update={"secrets_dir": None, **changes}))
        assert "COLOPHON_KAFKA_SSL_CERTIFICATE_LOCATION and COLOPHON_KAFKA_SSL_KEY_LOCATION" in said


def test_another_protocol_than_the_listeners_is_named(
    deployed: Settings, settings: Settings
) -> None:
    plain = {"kafka_bootstrap_servers": settings.kafka_bootstrap_servers}
    for wrong in (
        deployed.model_copy(update={"kafka_security_protocol": "PLAINTEXT"}),
        deployed.model_copy(update=plain),
    ):
        said = refusal(wrong)
        assert "COLOPHON_KAFKA_SECURITY_PROTOCOL must be that of the listener" in said, (
            kafka.LOG.last_words
        )


def test_a_key_that_is_none_is_named(by_certificate: Settings, other: Authority) -> None:
    broken = {
        "secrets_dir": None,
        "kafka_ssl_certificate_location": other.ca,
        "kafka_ssl_key_location": other.ca,
    }
    with pytest.raises(ConfigurationError, match="must be a certificate and its key: COLOPHON_"):
        kafka.client(by_certificate.model_copy(update=broken), PRICER)
    no_authority = {"kafka_ssl_ca_location": other.issue(PRICER)[1]}
    with pytest.raises(ConfigurationError, match="COLOPHON_KAFKA_SSL_CA_LOCATION must hold"):
        kafka.client(by_certificate.model_copy(update=no_authority), PRICER)


def test_a_new_password_is_taken_at_the_next_connection(
    deployed: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rotation: the file changed, `colophon topics apply`, the service started again."""
    assert deployed.secrets_dir
    file = deployed.secrets_dir / kafka_files(PRICER)[0]
    before = deployed.kafka_user(PRICER)
    file.write_text("rotated", "ascii")
    assert topics.set_passwords(deployed) > 1
    admin = AdminClient(kafka.client(deployed, PRICER))
    with monkeypatch.context() as patient:  # the broker says yes before it goes by the new one
        patient.setattr(kafka, "ANSWER_S", 30.0)
        assert kafka.metadata(deployed, admin).topics
    assert before
    old = {
        "secrets_dir": None,
        "kafka_sasl_username": PRICER,
        "kafka_sasl_password": SecretStr(before[1]),
    }
    assert "invalid credentials" in refusal(deployed.model_copy(update=old))
