"""Which strings are one mail address, and how text becomes safe in headers and in file names."""

import re
from hashlib import sha256
from typing import Final

from services.notifier.domain.delivery import Refused
from shared.ids import record_key

DOMAIN_MAX: Final = 253
FILE_NAME_MAX: Final = 120
SUFFIXES: Final = {"application/pdf": ".pdf", "application/xml": ".xml", "text/xml": ".xml"}
# RFC 5321 dot-string: what every server accepts. Quoted local parts are legal and unheard of.
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LOCAL_PART_MAX = 64
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_NOT_FOR_DISKS = re.compile(r'[\\/:*?"<>|\s]+')
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\s]+")


def usable_address(stated: str | None, *, is_erased: bool) -> str | Refused:
    """The one address in `stated`, its domain in ASCII, or why there is none to send to."""
    if is_erased:
        return Refused("contact-erased", "the contact has been erased: name another one")
    if not stated or not stated.strip():
        return Refused("address-missing", "the contact has no e-mail address: add one")
    return mail_address(stated) or Refused(
        "address-unusable", "the contact's e-mail address is not one plain address: mend it"
    )


def mail_address(stated: str) -> str | None:
    """`stated` as an address that can stand in an SMTP command, or None where it is none."""
    local_part, at, domain = stated.strip().rpartition("@")
    if not at or len(local_part) > _LOCAL_PART_MAX or not _LOCAL_PART.fullmatch(local_part):
        return None
    try:
        ascii_domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    labels = ascii_domain.split(".")
    if len(ascii_domain) > DOMAIN_MAX or len(labels) < 2:  # noqa: PLR2004 - a name and a top level
        return None
    return f"{local_part}@{ascii_domain}" if all(map(_LABEL.fullmatch, labels)) else None


def one_line(text: str, limit: int) -> str:
    """`text` without line breaks and control characters, at most `limit` long: safe in a header."""
    flat = _CONTROL.sub(" ", text).strip()
    return flat if len(flat) <= limit else f"{flat[: limit - 1].rstrip()}…"


def file_name(text: str) -> str:
    """`text` as one component of a path: it cannot climb out, and no two texts share one."""
    encoded = record_key(text).replace(".", "%2E") if set(text) <= {"."} else record_key(text)
    if len(encoded) <= FILE_NAME_MAX:
        return encoded
    digest = sha256(text.encode()).hexdigest()[:32]  # quote() leaves no plus: it marks these alone
    return f"{encoded[: FILE_NAME_MAX - 33]}+{digest}"


def attachment_name(invoice_number: str, media_type: str) -> str:
    """The name under which a reader saves a document: the invoice number, as disks take it."""
    plain = _NOT_FOR_DISKS.sub("-", invoice_number).strip("-.") or "document"
    return plain + SUFFIXES.get(media_type, ".bin")


def drop_path(
    customer_id: str, legal_entity_id: str, invoice_number: str, ending: str
) -> tuple[str, ...]:
    """Where a file for a customer goes below the drop folder.

    Invoice numbers are unique within a legal entity only, hence its folder.
    """
    return (
        file_name(customer_id),
        file_name(legal_entity_id),
        f"{file_name(invoice_number)}{ending}",
    )
