"""Addresses, header texts and file names: nothing that a customer types gets out of its place."""

import re
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.domain.address import (
    FILE_NAME_MAX,
    attachment_name,
    drop_path,
    file_name,
    mail_address,
    one_line,
    usable_address,
)
from services.notifier.domain.delivery import Refused


@pytest.mark.parametrize(
    ("stated", "address"),
    [
        ("marlene@nordlicht.example", "marlene@nordlicht.example"),
        ("  p.nair+ap@finch.example ", "p.nair+ap@finch.example"),
        ("post@grünwald.example", "post@xn--grnwald-o2a.example"),
    ],
)
def test_a_plain_address_is_usable(stated: str, address: str) -> None:
    assert usable_address(stated, is_erased=False) == address


@pytest.mark.parametrize(
    "stated",
    [
        "nobody",
        "@nordlicht.example",
        "a b@nordlicht.example",
        "a@b",
        "a@-b.example",
        "a@b..example",
        "a@b.example, c@d.example",
        "a@b.example>\r\nRCPT TO:<c@d.example",
        "a\r\nBcc: c@d.example",
        "Marlene <marlene@nordlicht.example>",
        "jürgen@nordlicht.example",
        ".a@b.example",
        "a" * 65 + "@b.example",
        "a@" + "b" * 64 + ".example",
        "a@" + "b." * 130 + "example",
        "a@\ud800.example",
    ],
)
def test_anything_else_is_refused_before_a_server_sees_it(stated: str) -> None:
    assert mail_address(stated) is None
    refusal = usable_address(stated, is_erased=False)
    assert isinstance(refusal, Refused)
    assert refusal.code == "address-unusable"


def test_no_address_and_no_person_are_told_apart() -> None:
    refusals = [
        usable_address(None, is_erased=False),
        usable_address("  ", is_erased=False),
        usable_address("marlene@nordlicht.example", is_erased=True),
    ]

    assert [r.code for r in refusals if isinstance(r, Refused)] == [
        "address-missing",
        "address-missing",
        "contact-erased",
    ]


@given(st.text(max_size=80))
def test_whatever_passes_for_an_address_can_stand_in_a_command(stated: str) -> None:
    address = mail_address(stated)

    assert address is None or re.fullmatch(r"[!-;=?-~]+@[a-zA-Z0-9.-]+", address)


@given(st.text(), st.integers(2, 50))
def test_one_line_is_one_line(text: str, limit: int) -> None:
    line = one_line(text, limit)

    assert len(line) <= limit
    assert line.splitlines() in ([], [line])


@given(st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"])))
def test_a_file_name_is_one_component_and_climbs_nowhere(text: str) -> None:
    name = file_name(text)

    assert PurePosixPath(name).name == name
    assert name not in {".", ".."}
    assert len(name) <= FILE_NAME_MAX


names = st.text(min_size=1, max_size=200, alphabet="a/.%+~é\\ ")


@given(names, names)
def test_different_texts_have_different_file_names(one: str, other: str) -> None:
    assert (file_name(one) == file_name(other)) == (one == other)


@pytest.mark.parametrize("text", [".", "..", "..."])
def test_dots_alone_are_no_file_name(text: str) -> None:
    assert set(file_name(text)) != {"."}


@pytest.mark.parametrize(
    ("number", "media_type", "name"),
    [
        ("R-2026-000001", "application/pdf", "R-2026-000001.pdf"),
        ("2026/17 b", "application/xml", "2026-17-b.xml"),
        ("../..", "text/csv", "document.bin"),
    ],
)
def test_an_attachment_has_the_number_for_a_name(number: str, media_type: str, name: str) -> None:
    assert attachment_name(number, media_type) == name


def test_entities_with_the_same_number_do_not_overwrite_each_other() -> None:
    assert drop_path("C/1", "DE01", "R-1", ".pdf") == ("C%2F1", "DE01", "R-1.pdf")
    assert drop_path("C/1", "GB01", "R-1", ".pdf") != drop_path("C/1", "DE01", "R-1", ".pdf")
