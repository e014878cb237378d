"""Mails on the wire: any reader gets back what the letter said, and nothing slips into a header."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.notifier.render.mime import Attachment, Mail, encode

PDF = Attachment("R-2026-000001.pdf", "application/pdf", b"%PDF-1.7\n" + bytes(range(256)) * 40)
MAIL = Mail(
    message_id="7d1c5d0e-0000-5000-8000-000000000001@colophon.example",
    at=datetime(2026, 3, 2, 8, tzinfo=UTC),
    sender="billing@colophon.example",
    sender_name="Druckhaus Spreebogen GmbH",
    reply_to="rechnung@spreebogen.example",
    recipient="marlene@nordlicht.example",
    recipient_name="Marlene Voß",
    subject="Rechnung R-2026-000001 über 1.223,08\N{NO-BREAK SPACE}€",
    language="de",
    text="Guten Tag Marlene Voß,\n\n.ein Punkt zuerst\nFrom hier an\n",
    html="<p>Grüße</p>\n",
    attachment=PDF,
)


def read(mail: Mail) -> EmailMessage:
    parsed = message_from_bytes(encode(mail), policy=default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def test_a_reader_gets_back_what_was_written() -> None:
    parsed = read(MAIL)

    assert str(parsed["From"]) == "Druckhaus Spreebogen GmbH <billing@colophon.example>"
    assert str(parsed["To"]) == "Marlene Voß <marlene@nordlicht.example>"
    assert str(parsed["Reply-To"]) == "Druckhaus Spreebogen GmbH <rechnung@spreebogen.example>"
    assert str(parsed["Subject"]) == "Rechnung R-2026-000001 über 1.223,08 €"
    assert parsed["Message-ID"] == f"<{MAIL.message_id}>"
    assert parsed["Date"].datetime == MAIL.at
    assert parsed["Content-Language"] == "de"
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert [part.get_content_type() for part in parsed.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "application/pdf",
    ]
    (attachment,) = parsed.iter_attachments()
    assert attachment.get_filename() == "R-2026-000001.pdf"
    assert attachment.get_content() == PDF.content
    assert parsed.defects == []


def test_a_mail_without_document_is_an_alternative_alone() -> None:
    parsed = read(replace(MAIL, attachment=None, reply_to=None, recipient_name=""))

    assert [part.get_content_type() for part in parsed.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    assert "Reply-To" not in parsed
    assert str(parsed["To"]) == "marlene@nordlicht.example"


def test_the_same_mail_gives_the_same_bytes() -> None:
    assert encode(MAIL) == encode(MAIL)


def test_an_attachment_may_have_a_name_in_any_script() -> None:
    parsed = read(replace(MAIL, attachment=replace(PDF, name="請求書 1.pdf")))

    (attachment,) = parsed.iter_attachments()
    assert attachment.get_filename() == "請求書 1.pdf"


@pytest.mark.parametrize(
    "name",
    [
        'Grünwald & "Söhne"',
        'Müller, "der" Drucker',
        "O'Neill, Anne",
        'a "b" <c@d.example>',
        "株式会社",
    ],
)
def test_names_with_marks_stay_names(name: str) -> None:
    parsed = read(replace(MAIL, recipient_name=name))

    (address,) = parsed["To"].addresses
    assert (address.display_name, address.addr_spec) == (name, MAIL.recipient)


@pytest.mark.parametrize(
    "breaking", ["\r\nBcc: x@y.example", "\nBcc: x@y.example", "\x0b\x85\u2028"]
)
def test_no_header_can_be_smuggled_in(breaking: str) -> None:
    parsed = read(
        replace(
            MAIL,
            subject=f"Rechnung{breaking}",
            recipient_name=f"Marlene{breaking}",
            sender_name=f"Druckhaus{breaking}",
            attachment=replace(PDF, name=f"R{breaking}.pdf"),
        )
    )

    assert "Bcc" not in parsed
    assert len(parsed["To"].addresses) == 1
    assert not re.search(rb"(?m)^Bcc:", encode(replace(MAIL, subject=f"R{breaking}")))


# Line ends other than \n are for the reader's system to choose.
texts = st.text(
    st.characters(
        exclude_categories=["Cs", "Zl", "Zp"], exclude_characters="\r\v\f\x1c\x1d\x1e\x85"
    ),
    max_size=400,
)


@settings(max_examples=30)
@given(texts, texts, st.binary(max_size=300))
def test_any_text_and_any_bytes_survive_the_wire(text: str, html: str, content: bytes) -> None:
    raw = encode(replace(MAIL, text=text, html=html, attachment=replace(PDF, content=content)))
    parsed = message_from_bytes(raw, policy=default)
    assert isinstance(parsed, EmailMessage)

    plain, page = parsed.get_body(("plain",)), parsed.get_body(("html",))
    assert plain is not None
    assert page is not None
    assert plain.get_content().replace("\r\n", "\n").rstrip("\n") == text.rstrip("\n")
    assert page.get_content().replace("\r\n", "\n").rstrip("\n") == html.rstrip("\n")
    (attachment,) = parsed.iter_attachments()
    assert attachment.get_content() == content
    assert raw.isascii()
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", raw), "every line ends with CRLF"


@settings(max_examples=30)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=200))
def test_any_subject_survives_the_wire(subject: str) -> None:
    parsed = read(replace(MAIL, subject=subject))

    assert len(parsed["Subject"]) <= 150
    assert parsed["From"].addresses[0].addr_spec == MAIL.sender
