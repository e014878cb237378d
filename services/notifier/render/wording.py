"""What the mails say, in every language that we write: data, with names in braces filled in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Text:
    """One kind of mail: its subject line, and the paragraphs (a line each) around the figures."""

    subject: str
    title: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Wording:
    """All words of one language."""

    greeting: str
    greeting_nobody: str
    closing: str
    invoice: Text
    reminders: Mapping[str, Text]
    order_ref: str
    invoice_number: str
    issued_on: str
    due_on: str
    gross_total: str
    discount: str
    discount_until: str
    settled: str
    disputed: str
    demanded: str
    reference: str
    pay_online: str
    transfer: str
    iban: str
    account: str
    attached: str
    vat_id: str
    phone: str


EN: Final = Wording(
    greeting="Dear {name},",
    greeting_nobody="Dear Sir or Madam,",
    closing="Kind regards",
    invoice=Text(
        subject="Invoice {number} from {seller}",
        title="Your invoice",
        before=(
            "Thank you for your order. Please find attached our invoice {number} for"
            " “{description}”."
        ),
        after=(
            "If anything on the invoice is not as you expected, simply reply to this message and"
            " we will put it right."
        ),
    ),
    reminders={
        "friendly": Text(
            subject="Payment reminder: invoice {number} from {seller}",
            title="A friendly reminder",
            before=(
                "Perhaps it has slipped your attention: our invoice {number} for “{description}”"
                " was due on {due_on}, and {open} is still outstanding.\n"
                "We would be grateful if you could pay the amount in the next few days."
            ),
            after=(
                "Should your payment have crossed with this message, please accept our thanks and"
                " ignore it. If there is a reason why you have not paid, do let us know."
            ),
        ),
        "firm": Text(
            subject="Overdue: invoice {number} from {seller}, {open}",
            title="Your invoice is overdue",
            before=(
                "Our invoice {number} for “{description}” was due on {due_on}. It is now {days}"
                " days overdue, and we have not received your payment of {open}.\n"
                "Please pay the amount without further delay."
            ),
            after=(
                "If you cannot pay, or do not agree with the invoice, please reply today so that"
                " we can find a solution.\n"
                "{late_payment}"
            ),
        ),
        "escalation": Text(
            subject="Final notice: invoice {number} from {seller}, {open}",
            title="Final notice",
            before=(
                "Our invoice {number} for “{description}” has been due since {due_on}, that is for"
                " {days} days. {open} is still outstanding.\n"
                "We ask you to pay the amount within the next seven days. After that we will have"
                " to take further steps to collect it, at additional cost to you."
            ),
            after=(
                "Is there something that we do not know? Then please get in touch with us in"
                " person today{by_phone}.\n"
                "{late_payment}"
            ),
        ),
    },
    order_ref="Your order",
    invoice_number="Invoice number",
    issued_on="Invoice date",
    due_on="Due date",
    gross_total="Invoice total",
    discount="Early payment",
    discount_until="{amount} if paid by {until} (less {percent} %)",
    settled="Already settled",
    disputed="Under discussion, not asked for",
    demanded="Please pay",
    reference="Payment reference",
    pay_online="Pay online",
    transfer="Bank transfer",
    iban="IBAN {account}",
    account="Account {account}",
    attached="Attached: {file}",
    vat_id="VAT ID {vat_id}",
    phone="Phone {phone}",
)

DE: Final = Wording(
    greeting="Guten Tag {name},",
    greeting_nobody="Sehr geehrte Damen und Herren,",
    closing="Mit freundlichen Grüßen",
    invoice=Text(
        subject="Rechnung {number} von {seller}",
        title="Ihre Rechnung",
        before=(
            "vielen Dank für Ihren Auftrag. Im Anhang erhalten Sie unsere Rechnung {number} über"
            " „{description}“."
        ),
        after=(
            "Sollte etwas an der Rechnung nicht Ihren Erwartungen entsprechen, antworten Sie"
            " einfach auf diese Nachricht, und wir bringen es in Ordnung."
        ),
    ),
    reminders={
        "friendly": Text(
            subject="Zahlungserinnerung: Rechnung {number} von {seller}",
            title="Eine freundliche Erinnerung",
            before=(
                "vielleicht ist es Ihnen entgangen: Unsere Rechnung {number} über „{description}“"
                " war am {due_on} fällig; {open} sind noch offen.\n"
                "Wir freuen uns, wenn Sie den Betrag in den nächsten Tagen begleichen."
            ),
            after=(
                "Sollte sich Ihre Zahlung mit dieser Nachricht gekreuzt haben, danken wir Ihnen;"
                " betrachten Sie sie dann bitte als gegenstandslos. Falls es einen Grund gibt,"
                " warum Sie noch nicht gezahlt haben, geben Sie uns bitte Bescheid."
            ),
        ),
        "firm": Text(
            subject="Mahnung: Rechnung {number} von {seller}, {open}",
            title="Ihre Rechnung ist überfällig",
            before=(
                "unsere Rechnung {number} über „{description}“ war am {due_on} fällig. Sie ist"
                " inzwischen seit {days} Tagen überfällig, und {open} sind bei uns noch nicht"
                " eingegangen.\n"
                "Bitte begleichen Sie den Betrag umgehend."
            ),
            after=(
                "Können Sie nicht zahlen, oder sind Sie mit der Rechnung nicht einverstanden?"
                " Dann antworten Sie uns bitte noch heute, damit wir eine Lösung finden.\n"
                "{late_payment}"
            ),
        ),
        "escalation": Text(
            subject="Letzte Mahnung: Rechnung {number} von {seller}, {open}",
            title="Letzte Mahnung",
            before=(
                "unsere Rechnung {number} über „{description}“ ist seit dem {due_on} fällig, das"
                " sind {days} Tage. {open} sind noch offen.\n"
                "Wir bitten Sie, den Betrag innerhalb der nächsten sieben Tage zu zahlen. Danach"
                " müssen wir weitere Schritte einleiten, die für Sie mit zusätzlichen Kosten"
                " verbunden sind."
            ),
            after=(
                "Gibt es etwas, das wir nicht wissen? Dann melden Sie sich bitte noch heute"
                " persönlich bei uns{by_phone}.\n"
                "{late_payment}"
            ),
        ),
    },
    order_ref="Ihre Bestellung",
    invoice_number="Rechnungsnummer",
    issued_on="Rechnungsdatum",
    due_on="Fällig am",
    gross_total="Rechnungsbetrag",
    discount="Skonto",
    discount_until="{amount} bei Zahlung bis {until} (abzüglich {percent} %)",
    settled="Bereits beglichen",
    disputed="In Klärung, nicht angefordert",
    demanded="Zu zahlen",
    reference="Verwendungszweck",
    pay_online="Online bezahlen",
    transfer="Überweisung",
    iban="IBAN {account}",
    account="Konto {account}",
    attached="Anhang: {file}",
    vat_id="USt-IdNr. {vat_id}",
    phone="Telefon {phone}",
)

WORDINGS: Final[Mapping[str, Wording]] = {"en": EN, "de": DE}
