"""A mail as a sequence of texts, not yet laid out: the figures, the words, the way to pay."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from services.notifier.domain.address import one_line
from services.notifier.domain.letter import Demand, InvoiceFacts
from services.notifier.render.formats import country, day, grouped, is_iban, money, percent
from services.notifier.render.wording import WORDINGS, Wording
from shared.calendar import pay_by
from shared.events.billing import Seller
from shared.events.masterdata import BankAccount
from shared.money import round_money

SUBJECT_MAX: Final = 150
NAME_MAX: Final = 80
DESCRIPTION_MAX: Final = 120
DEFAULT_COLOUR: Final = "#334155"
_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")


@dataclass(frozen=True)
class Figure:
    """A row of the table: a label and a value of a line or more; what matters most is strong."""

    label: str
    value: str
    is_strong: bool = False


@dataclass(frozen=True)
class Letter:
    """What a mail says, in its order."""

    language: str
    number: str
    subject: str
    title: str
    seller: str
    accent: str
    greeting: str
    before: tuple[str, ...]
    figures: tuple[Figure, ...]
    pay_label: str
    pay_url: str | None
    after: tuple[str, ...]
    closing: str
    footer: tuple[str, ...]


def compose(
    facts: InvoiceFacts, demand: Demand | None, contact_name: str, locale: str, file: str | None
) -> Letter:
    """The letter that goes with an invoice, or with a `demand` that reminds of it.

    `file` is the name of the attachment, if there is one. Amounts and dates are as `locale` writes
    them; its language must be one of `WORDINGS`.
    """
    language = locale.partition("_")[0]
    words = WORDINGS[language]
    text = words.reminders[demand.tone] if demand else words.invoice
    fill = _filling(facts, demand, locale) | {"file": file or ""}
    name = one_line(contact_name, NAME_MAX)
    after = [*text.after.split("\n"), *([words.attached] if file else [])]
    return Letter(
        language=language,
        number=facts.invoice_number,
        subject=one_line(text.subject.format_map(fill), SUBJECT_MAX),
        title=text.title,
        seller=fill["seller"],
        accent=_accent(facts.seller.accent_colour),
        greeting=words.greeting.format(name=name) if name else words.greeting_nobody,
        before=tuple(part.format_map(fill) for part in text.before.split("\n")),
        figures=tuple(_figures(facts, demand, words, locale)),
        pay_label=words.pay_online,
        pay_url=_web_address(facts.payment_url),
        after=tuple(filter(None, (part.format_map(fill) for part in after))),
        closing=words.closing,
        footer=tuple(_footer(facts.seller, words, locale)),
    )


def _filling(facts: InvoiceFacts, demand: Demand | None, locale: str) -> dict[str, str]:
    seller = facts.seller
    demanded = demand.open_amount - demand.disputed_amount if demand else facts.gross_total
    is_own_language = seller.locale[:2].lower() == locale[:2]
    return {
        "number": facts.invoice_number,
        "seller": one_line(seller.name, NAME_MAX),
        "description": one_line(facts.description, DESCRIPTION_MAX),
        "due_on": day(facts.due_on, locale),
        "days": str(demand.days_overdue if demand else 0),
        "open": money(demanded, facts.currency, locale),
        "late_payment": (seller.late_payment_text or "") if is_own_language else "",
        "by_phone": f": {seller.phone}" if seller.phone else "",
    }


def _figures(
    facts: InvoiceFacts, demand: Demand | None, words: Wording, locale: str
) -> Iterator[Figure]:
    yield Figure(words.invoice_number, facts.invoice_number)
    if facts.order_ref:
        yield Figure(words.order_ref, one_line(facts.order_ref, NAME_MAX))
    yield Figure(words.issued_on, day(facts.issued_on, locale))
    yield Figure(words.due_on, day(facts.due_on, locale))
    total = money(facts.gross_total, facts.currency, locale)
    yield Figure(words.gross_total, total, is_strong=demand is None)
    if demand is None:
        yield from _discount(facts, words, locale)
    else:
        yield from _demanded(facts, demand, words, locale)
    yield Figure(words.reference, grouped(facts.payment_reference))
    accounts = facts.seller.bank_accounts
    for account in [a for a in accounts if a.currency == facts.currency] or accounts[:2]:
        yield Figure(words.transfer, _account(account, words))


def _discount(facts: InvoiceFacts, words: Wording, locale: str) -> Iterator[Figure]:
    terms = facts.payment_terms
    if terms.discount_percent and terms.discount_days is not None:
        calendar = facts.calendar_country, facts.calendar_subdivision
        until = pay_by(facts.issued_on, terms.discount_days, *calendar)
        taken = round_money(facts.gross_total * terms.discount_percent / 100, facts.currency)
        offer = words.discount_until.format(
            amount=money(facts.gross_total - taken, facts.currency, locale),
            percent=percent(terms.discount_percent, locale),
            until=day(until, locale),
        )
        yield Figure(words.discount, offer)


def _demanded(facts: InvoiceFacts, demand: Demand, words: Wording, locale: str) -> Iterator[Figure]:
    settled = facts.gross_total - demand.open_amount
    if settled:
        yield Figure(words.settled, money(settled, facts.currency, locale))
    if demand.disputed_amount:
        yield Figure(words.disputed, money(demand.disputed_amount, facts.currency, locale))
    demanded = demand.open_amount - demand.disputed_amount
    yield Figure(words.demanded, money(demanded, facts.currency, locale), is_strong=True)


def _account(account: BankAccount, words: Wording) -> str:
    number = account.account
    parts = [
        words.iban.format(account=grouped(number))
        if is_iban(number)
        else words.account.format(account=number),
        f"BIC {account.bic}" if account.bic else "",
        account.bank_name or "",
    ]
    return "\n".join(filter(None, parts))


def _footer(seller: Seller, words: Wording, locale: str) -> Iterator[str]:
    """What the law wants on business letters, as far as the seller has stated it."""
    address = seller.address
    town = f"{address.postal_code} {address.city}"
    yield " · ".join([seller.name, *address.lines, town, country(address.country, locale)])
    reach = [
        words.phone.format(phone=seller.phone) if seller.phone else "",
        seller.email or "",
        seller.website or "",
    ]
    yield " · ".join(filter(None, reach))
    yield " · ".join(
        filter(
            None,
            [
                seller.registration or "",
                words.vat_id.format(vat_id=seller.vat_id) if seller.vat_id else "",
            ],
        )
    )


def _web_address(stated: str | None) -> str | None:
    """`stated` if it is a link that may be clicked on: http or https, on one line."""
    if stated is None or one_line(stated, len(stated)) != stated or " " in stated:
        return None
    return stated if urlsplit(stated).scheme in {"http", "https"} else None


def _accent(stated: str | None) -> str:
    return stated if stated and _COLOUR.fullmatch(stated) else DEFAULT_COLOUR
