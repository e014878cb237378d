"""What a service's process is told: its own password, and nobody else's."""

from pathlib import Path

from pydantic import SecretStr

from shared.local.environment import environment, for_service, local_settings
from shared.local.stack import Endpoints
from shared.settings import Settings, kafka_files
from shared.topology import SERVICE, consumers

SUPERUSER = "postgresql://colophon:the-superusers@127.0.0.1:5433/colophon"


def told(settings: Settings, name: str) -> tuple[dict[str, str], dict[str, str]]:
    """The environment of service `name`, and the files of its secrets folder."""
    variables = environment(for_service(settings, name))
    folder = Path(variables["COLOPHON_SECRETS_DIR"])
    return variables, {file.name: file.read_text("utf-8") for file in folder.iterdir()}


def test_each_service_is_told_its_own_secrets_alone(tmp_path: Path) -> None:
    settings = local_settings(Endpoints("127.0.0.1:9092", SUPERUSER, tmp_path))
    for service in consumers():
        variables, files = told(settings, service.name)
        assert files.keys() == {service.role, *service.secrets}
        assert files[service.role] == settings.secret(service.role)
        assert variables["COLOPHON_DATABASE_URL"] == "postgresql://127.0.0.1:5433/colophon"
        known = "".join([*variables.values(), *files.values()])
        others = [settings.secret(other.role) for other in consumers() if other is not service]
        assert not [secret for secret in ("the-superusers", *others) if str(secret) in known]


def test_its_own_password_is_enough_to_log_in(tmp_path: Path) -> None:
    settings = local_settings(Endpoints("127.0.0.1:9092", SUPERUSER, tmp_path))
    role = SERVICE["pricer"].role
    own = for_service(settings, "pricer")
    assert own.role_url(role) == settings.role_url(role)
    _, files = told(settings, "pricer")
    (folder,) = {file.parent for file in (tmp_path / "secrets" / "pricer").iterdir()}
    assert oct(folder.stat().st_mode)[-3:] == "700"
    assert {oct((folder / name).stat().st_mode)[-3:] for name in files} == {"600"}


def test_what_makes_a_service_known_to_kafka_is_its_own(tmp_path: Path) -> None:
    """Given each role's password and certificate for Kafka, then each is told its own alone."""
    settings = local_settings(Endpoints("127.0.0.1:9092", SUPERUSER, tmp_path))
    for service in consumers():
        for name in kafka_files(service.role):
            (tmp_path / "secrets" / name).write_text(f"the {name}", "ascii")
    pricer = SERVICE["pricer"]
    own = for_service(settings, "pricer")
    _, files = told(settings, "pricer")
    assert files.keys() == {pricer.role, *kafka_files(pricer.role)}
    assert own.kafka_user(pricer.role) == (pricer.role, f"the {pricer.role}_kafka")
    assert own.kafka_certificate(pricer.role) is not None
    assert own.kafka_user(SERVICE["invoicer"].role) is None
    assert own.kafka_certificate(SERVICE["invoicer"].role) is None


def test_a_user_chosen_for_all_services_stays(tmp_path: Path) -> None:
    """Given servers of one's own whose roles have no password here, then the URL is as given."""
    settings = Settings(database_url=SecretStr(SUPERUSER), data_dir=tmp_path)
    assert for_service(settings, "pricer") == settings
