"""A broker with the locks on: one listener for passwords, one for certificates, an authorizer."""

from pathlib import Path

from shared.local.broker import Broker
from shared.local.kafka import kafka
from shared.local.ports import LOOPBACK, remembered_ports
from tests.integration.transport.certificates import Authority

# The plain listener is the broker's own and, for the tests, the superuser's way in. Topics are made
# for whoever asks and may, as brokers do unless told otherwise.
SECURED = """\
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_SSL,MTLS:SSL
auto.create.topics.enable=true
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.mtls.ssl.client.auth=required
ssl.principal.mapping.rules=RULE:^CN=([^,]+).*$/$1/
ssl.keystore.type=PEM
ssl.keystore.location=server.pem
ssl.truststore.type=PEM
ssl.truststore.location=ca.pem
"""


class SecuredBroker(Broker):
    """As the local stack's, with the listeners `sasl` and `mtls` beside the plain one."""

    def __init__(self, data_dir: Path, authority: Authority) -> None:
        plain = kafka(data_dir, lambda _: None)
        super().__init__(plain._folder, data_dir / "logs", plain._runtime)
        self._authority = authority
        self.plain = self.sasl = self.mtls = ""

    def _write_properties(self, broker: int, controller: int, log_folder: str) -> None:
        super()._write_properties(broker, controller, log_folder)
        certificate, key = self._authority.issue("broker", [LOOPBACK])
        (self._folder / "server.pem").write_bytes(key.read_bytes() + certificate.read_bytes())
        (self._folder / "ca.pem").write_bytes(self._authority.ca.read_bytes())
        sasl, mtls = remembered_ports(self._folder / "secured-ports", 2)
        self.sasl, self.mtls = f"{LOOPBACK}:{sasl}", f"{LOOPBACK}:{mtls}"
        places = f"BROKER://{LOOPBACK}:{broker},SASL://{self.sasl},MTLS://{self.mtls}"
        file = self._folder / f"{log_folder}.properties"
        with file.open("a", encoding="ascii") as properties:
            properties.write(
                f"{SECURED}listeners={places},CONTROLLER://{LOOPBACK}:{controller}\n"
                f"advertised.listeners={places}\n"
            )
