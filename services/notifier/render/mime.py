"""A mail on the wire (RFC 5322, 2045): two alternatives of one letter, and perhaps a document.

Assembled here, with the standard library's encoders: its message classes parse every header again
and write every line of an attachment singly, which made them four fifths of the cost of a mail.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.charset import BASE64, Charset
from email.header import Header
from email.utils import encode_rfc2231, format_datetime, quote
from functools import cache, lru_cache
from typing import Final

from services.notifier.domain.address import one_line

HEADER_MAX: Final = 150
LINE: Final = 76
"""The longest line of base64 (RFC 2045, 6.8)."""
_CRLF: Final = b"\r\n"
_SPECIAL = re.compile(r'[()<>\[\]:;@\\,."]')


@dataclass(frozen=True)
class Attachment:
    """A document that goes with a mail."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class Mail:
    """All that one mail consists of; addresses have been checked, texts are as the letter has them.

    `message_id` has no brackets. `at` is system time: receivers compare it with their own clocks.
    """

    message_id: str
    at: datetime
    sender: str
    sender_name: str
    reply_to: str | None
    recipient: str
    recipient_name: str
    subject: str
    language: str
    text: str
    html: str
    attachment: Attachment | None


def encode(mail: Mail) -> bytes:
    """`mail` as bytes in 7 bit, lines ended by CRLF; the same mail gives the same bytes."""
    # Neither quoted-printable nor base64 can contain "=_": no text can forge a boundary.
    outer = f"=_{mail.message_id.partition('@')[0]}"
    alternatives = _multipart(
        "alternative", f"{outer}_a", (_text("plain", mail.text), _text("html", mail.html))
    )
    if mail.attachment is None:
        body = alternatives
    else:
        body = _multipart("mixed", f"{outer}_m", (alternatives, _attached(mail.attachment)))
    return "".join(f"{line}\r\n" for line in _headers(mail)).encode("ascii") + body


def _headers(mail: Mail) -> Iterator[str]:
    yield f"From: {_mailbox(mail.sender_name, mail.sender)}"
    yield f"To: {_mailbox(mail.recipient_name, mail.recipient)}"
    if mail.reply_to:
        yield f"Reply-To: {_mailbox(mail.sender_name, mail.reply_to)}"
    yield f"Subject: {_words(mail.subject, len('Subject: '))}"
    yield f"Date: {format_datetime(mail.at)}"
    yield f"Message-ID: <{mail.message_id}>"
    yield f"Content-Language: {mail.language}"
    yield "Auto-Submitted: auto-generated"  # RFC 3834: no out-of-office reply is asked for
    yield "MIME-Version: 1.0"


def _multipart(subtype: str, boundary: str, parts: tuple[bytes, ...]) -> bytes:
    mark = f"--{boundary}".encode("ascii")
    head = f'Content-Type: multipart/{subtype};\r\n boundary="{boundary}"\r\n\r\n'.encode("ascii")
    inside = b"".join(mark + _CRLF + part + _CRLF for part in parts)
    return head + inside + mark + b"--" + _CRLF


def _text(subtype: str, text: str) -> bytes:
    plain = text.replace("\r\n", "\n").replace("\r", "\n").encode()
    return (
        f"Content-Type: text/{subtype}; charset=utf-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    ).encode("ascii") + binascii.b2a_qp(plain, istext=True).replace(b"\n", _CRLF)


def _attached(attachment: Attachment) -> bytes:
    name = one_line(attachment.name, HEADER_MAX)
    shown = f'filename="{quote(name)}"' if name.isascii() else _extended(name)
    head = (
        f"Content-Type: {attachment.media_type}\r\n"
        "Content-Transfer-Encoding: base64\r\n"
        f"Content-Disposition: attachment;\r\n {shown}\r\n\r\n"
    )
    encoded = binascii.b2a_base64(attachment.content, newline=False)
    lines = (encoded[i : i + LINE] for i in range(0, len(encoded), LINE))
    return head.encode("ascii") + _CRLF.join(lines)


def _extended(name: str) -> str:
    return f"filename*={encode_rfc2231(name, 'utf-8')}"


@lru_cache(maxsize=1024)
def _mailbox(name: str, address: str) -> str:
    shown = one_line(name, HEADER_MAX)
    if not shown:
        return address
    if not shown.isascii():
        return f"{_words(shown, len('Reply-To: '))}\r\n <{address}>"
    if _SPECIAL.search(shown):
        shown = f'"{quote(shown)}"'
    return f"{shown}\r\n <{address}>"


def _words(text: str, used: int) -> str:
    """`text` for a header: as it is in ASCII, in encoded words (RFC 2047) otherwise."""
    flat = one_line(text, HEADER_MAX)
    charset = "us-ascii" if flat.isascii() else _utf8_in_base64()
    return Header(flat, charset, maxlinelen=76, header_name="x" * used).encode(linesep="\r\n")


@cache
def _utf8_in_base64() -> Charset:
    """UTF-8 in headers as base64: finding the shorter of two encodings takes longer than both."""
    charset = Charset("utf-8")
    charset.header_encoding = BASE64
    return charset
