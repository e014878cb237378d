"""Wiring: which event goes to which handler, which facts it brings, what the clock drives."""

from typing import Final

from sqlalchemy import Connection

from services.invoicer.domain.job import SERVICE_NAME
from services.invoicer.handler import documents, events
from services.invoicer.handler.numbers import check_numbers, keep_checked
from services.invoicer.store import InvoicerStore
from services.invoicer.store.tables import GRANTS, METADATA
from shared.errors import ConfigurationError
from shared.events.billing import JobPriced
from shared.events.masterdata import Customer, LegalEntity, TaxRule
from shared.ids import record_key
from shared.runtime.service import Desk, Fact, ServiceSpec, Tick, Worker
from shared.settings import Settings, read_settings

LINK_KEY: Final = "payment_link_key"


def _legal_entity(event: LegalEntity) -> tuple[Fact]:
    return (Fact("legal-entity", record_key(event.legal_entity_id)),)


def _customer(event: Customer) -> tuple[Fact]:
    return (Fact("customer", record_key(event.customer_id)),)


def _tax_rule(event: TaxRule) -> tuple[Fact]:
    return (Fact("tax-rule", record_key(event.seller_country)),)


def link_key(settings: Settings) -> bytes | None:
    """The key that signs payment links: the setting, or the secret file of the same name."""
    setting = settings.payment_link_key
    key = setting.get_secret_value() if setting else settings.secret(LINK_KEY)
    return key.encode() if key else None


def _store(connection: Connection) -> InvoicerStore:
    return InvoicerStore(connection, link_key(read_settings()))


def check_link_key(desk: Desk) -> None:
    """Refuse to start without the key: invoices would go out without their payment link."""
    if not link_key(desk.settings):
        raise ConfigurationError(
            "no key for payment links: set COLOPHON_PAYMENT_LINK_KEY, or put 32 random bytes as"
            f" text into the file {LINK_KEY} of COLOPHON_SECRETS_DIR, the same for every instance"
        )


def check_start(desk: Desk) -> None:
    """What must hold before a number is given."""
    check_link_key(desk)
    check_numbers(desk)


SERVICE: Final = ServiceSpec(
    name=SERVICE_NAME,
    metadata=METADATA,
    store=_store,
    handlers={
        LegalEntity: events.on_legal_entity,
        Customer: events.on_customer,
        TaxRule: events.on_tax_rule,
        JobPriced: events.on_job_priced,
    },
    facts={LegalEntity: _legal_entity, Customer: _customer, TaxRule: _tax_rule},
    ticks=(
        Tick("recheck", events.recheck),
        Tick("figures", events.show_figures, every_s=15.0),
    ),
    workers=(
        Worker("render", documents.render_documents, rest_s=0.2),
        Worker("numbers", keep_checked, rest_s=60.0),
    ),
    start=check_start,
    grants=GRANTS,
)
