"""Files from strangers: bombs, bait and garbage are refused in a sentence, quickly, every time."""

import gzip
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from services.ingest.domain import reader
from services.ingest.domain.outcome import Failed, Nothing, Produced
from services.ingest.gateway import files, xml
from services.ingest.handler import read_file
from shared.codec.codec import Codec
from tests.unit.ingest.made import (
    ENTITY,
    ONE,
    RUN,
    TWO,
    amount,
    audited,
    fault,
    jdf,
    paper,
    reason,
    report,
    resource_set,
    taken,
    xjdf,
    xjmf,
)
from tests.unit.ingest.made_jdf import link, node
from tests.unit.ingest.test_messages import info


def laughs() -> str:
    """Nested entities: a kilobyte that would grow to ten billion copies."""
    entities = ['<!ENTITY l0 "lol">']
    entities += [f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 11)]
    return f'<!DOCTYPE XJDF [{"".join(entities)}]><XJDF {TWO} JobID="&l10;">&l10;</XJDF>'


DOCTYPES: dict[str, str] = {
    "billion laughs": laughs(),
    "quadratic blow-up": (
        f'<!DOCTYPE x [<!ENTITY a "{"a" * 50_000}">]><XJDF JobID="{"&a;" * 5_000}"/>'
    ),
    "external entity": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]><XJDF>&e;</XJDF>',
    "parameter entity": '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/p"> %p;]><XJDF/>',
    "external DTD": '<!DOCTYPE XJDF SYSTEM "http://127.0.0.1:9/x.dtd"><XJDF/>',
    "harmless DTD": "<!DOCTYPE JDF><JDF/>",
    "attribute default": '<!DOCTYPE x [<!ATTLIST XJDF JobID CDATA "J1">]><XJDF/>',
}


@pytest.mark.parametrize("text", DOCTYPES.values(), ids=DOCTYPES.keys())
def test_every_document_type_is_refused_before_it_can_act(text: str) -> None:
    assert "has a DOCTYPE" in fault(text)
    assert "has a DOCTYPE" in fault(text.encode("utf-16"))


def test_a_file_beside_the_bait_is_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret")
    bait = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{secret.as_uri()}">]><XJDF {TWO} JobID="J1">&e;</XJDF>'
    include = (
        f'<XJDF {TWO} JobID="J1" xmlns:xi="http://www.w3.org/2001/XInclude">'
        f'<xi:include href="{secret.as_uri()}" parse="text"/></XJDF>'
    )
    assert "secret" not in fault(bait).replace("secret.txt", "")
    assert "the secret" not in reason(include)


LIMITS: dict[str, tuple[Callable[[], str | bytes], str]] = {
    "deep": (
        lambda: f"<XJDF {TWO}>" + "<a>" * 101 + "</a>" * 101 + "</XJDF>",
        "nested more than 100",
    ),
    "long value": (lambda: f'<XJDF {TWO} JobID="{"a" * 10_100_000}"/>', "longer than 10 MB"),
    "large": (lambda: b"<" + b" " * files.BYTES_MAX, "is larger than 32 MiB"),
    "deep JSON": (lambda: "[" * 100_000, "nested too deep"),
    "long number": (lambda: f'{{"a": {"9" * 5_000}}}', "holds what no event can"),
}


@pytest.mark.parametrize(("make", "why"), LIMITS.values(), ids=LIMITS.keys())
def test_everything_has_a_limit(make: Callable[[], str | bytes], why: str) -> None:
    assert why in fault(make())


@pytest.mark.parametrize(
    ("inner", "counted"),
    [("<a/>" * 60, "elements"), ("<a " + "b{}='' " * 60 + "/>", "attributes")],
)
def test_the_guard_counts_before_anything_is_built(
    monkeypatch: pytest.MonkeyPatch, inner: str, counted: str
) -> None:
    text = f"<XJDF {TWO}>{inner.format(*range(60))}</XJDF>"
    assert "a plan" in reason(text)
    monkeypatch.setattr(xml, f"{counted.upper()}_MAX", 50)
    assert f"50 {counted}" in fault(text)


def test_parts_that_refer_to_each_other_too_often_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A small file could otherwise keep a processor busy for hours."""
    monkeypatch.setattr(reader, "STEPS_MAX", 500)
    inks = "".join(f'<Ink Separation="C{n}"/>' for n in range(30))
    amounts = "".join(
        f'<PartAmount ActualAmount="1"><Part Separation="C{n}"/></PartAmount>' for n in range(30)
    )
    used = link("i", inner=f"<AmountPool>{amounts}</AmountPool>", name="Ink")
    assert "<Ink> refers to so many parts" in fault(jdf(f'<Ink ID="i">{inks}</Ink>', used))
    infos = f'<NodeInfo ID="ni">{"<NodeInfo/>" * 10}</NodeInfo>'
    nodes = node(link("ni", name="NodeInfo")) * 4
    assert "<NodeInfoLink> refers to so many parts" in fault(jdf(infos, nodes=nodes))


def test_a_form_of_more_jobs_than_real_ones_have_is_refused() -> None:
    sources = "".join(f'<GangSource JobID="J{n}"/>' for n in range(251))
    info = resource_set("NodeInfo", f"<Resource><NodeInfo>{sources}</NodeInfo></Resource>")
    used = audited(paper(amount("Amount=5")))
    assert "among 251 jobs: no real form does" in fault(xjdf(info, used))
    lots = "".join(f'<PartAmount Amount="1"><Part LotID="L{n}"/></PartAmount>' for n in range(600))
    many = audited(paper(f"<AmountPool>{lots}</AmountPool>"))
    assert "tells 251 jobs 600 facts each: split it" in fault(xjdf(info, many))


def zipped() -> bytes:
    """A ZIP of zeros that is a thousand times larger unpacked."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("job.xjdf", b"\0" * 1_000_000)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (zipped(), "is a ZIP package: unpack it"),
        (gzip.compress(b"<XJDF/>", mtime=0), "is gzip: unpack it"),
        (b"MIME-Version: 1.0\r\n", "is a MIME package"),
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"hello", "is neither XML nor JSON"),
        (b"%PDF-1.7", "is neither XML nor JSON"),
        (b"\x00\x01\x02", "is neither XML nor JSON"),
    ],
)
def test_what_is_no_job_file_is_said_to_be_none(data: bytes, why: str) -> None:
    assert why in fault(data)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("<XJDF", "is not well-formed XML"),
        ("<", "is not well-formed XML"),
        (f"<XJDF {TWO}>&what;</XJDF>", "undefined entity"),
        (f"<XJDF {TWO}/><XJDF/>", "junk after document element"),
        ("<html/>", "<html> is no JDF, JMF, XJDF or XJMF"),
        ('<PrintTalk xmlns="http://www.printtalk.org/schema_2_0"/>', "no CIP4 file"),
        (f"<Media {TWO}/>", "<Media> is no JDF, JMF, XJDF or XJMF"),
    ],
)
def test_broken_or_foreign_xml_is_refused(text: str, why: str) -> None:
    assert why in fault(text)


def test_a_fault_names_line_and_the_tag_that_was_open() -> None:
    outcome = taken(f'<XJDF {TWO} JobID="J1">\n  <AuditPool>\n    <AuditCreated\n  </AuditPool>\n')
    assert isinstance(outcome, Failed)
    (found,) = outcome.faults
    assert (found.line, found.element) == (4, "AuditCreated")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "windows-1252"])
def test_declared_encodings_of_the_trade_are_read(encoding: str) -> None:
    declared = encoding.removesuffix("-sig")
    text = f'<?xml version="1.0" encoding="{declared}"?><XJDF {TWO} JobID="Grün"/>'
    assert "job Grün" in reason(text.encode(encoding))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (
            f'<?xml version="1.0"?><XJDF {TWO} JobID="Grün"/>'.encode("latin-1"),
            "not in the encoding",
        ),
        (
            b'<?xml version="1.0" encoding="klingon"?><XJDF/>',
            "no encoding read here (unknown encoding: klingon)",
        ),
        (b'<?xml version="1.0" encoding="UTF-7"?>+ADw-XJDF/+AD4-', "no encoding read here"),
        ('<?xml version="1.0" encoding="UTF-32"?><XJDF/>'.encode("utf-32"), "not in the encoding"),
        (f"<XJDF {TWO}\0/>".encode(), "is not well-formed XML"),
        (b'{"a": "\xff"}', "line 1: is not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "is not UTF-8"),
        (b'{"a": NaN}', "NaN is no number"),
        (b'{"a": 1, "a": 2}', "the key 'a' stands twice"),
        (b'{"a": 1} {"a": 2}', "is not JSON: Extra data"),
    ],
)
def test_wrong_encodings_and_doubtful_json_are_refused(data: bytes, why: str) -> None:
    assert why in fault(data)


def test_folders_pipes_and_missing_files_are_no_files(tmp_path: Path) -> None:
    for path, why in ((tmp_path, "no regular file"), (tmp_path / "none.jdf", "cannot be read")):
        outcome = read_file(path, legal_entity_id=ENTITY)
        assert isinstance(outcome, Failed)
        assert outcome.source == str(path)
        assert why in str(outcome.faults[0])


def test_foreign_elements_and_attributes_are_left_out_with_all_in_them() -> None:
    foreign = f'<x:Ext xmlns:x="urn:x"><AuditPool {TWO}>{RUN}</AuditPool></x:Ext>'
    text = xjdf(foreign, "").replace("<XJDF ", '<XJDF xmlns:y="urn:y" y:JobID="other" ')
    assert "a plan: job J1" in reason(text)


def test_files_without_a_namespace_and_with_a_prefix_are_read() -> None:
    assert report(xjmf(info()).replace(TWO, "")).job_id == "J1"
    prefixed = f'<j:JDF xmlns:j="{ONE.split(chr(34))[1]}" JobID="J1" Type="Product"/>'
    assert "job J1" in reason(prefixed)


def test_what_no_event_can_hold_is_refused_by_its_field() -> None:
    """XML allows more decimals in sum than an event's figure has digits."""
    whole = "9" * 19
    pool = f'<PartAmount Amount="{whole}"/><PartAmount Amount="{whole}"/>'
    text = xjmf(info()).replace('<PartAmount Amount="500" Waste="7"></PartAmount>', pool)
    assert "actual_good" in fault(text)


@given(st.binary(max_size=300))
def test_any_bytes_have_an_outcome(data: bytes) -> None:
    for prefix in (b"", b"<", b"<?xml version='1.0'?>", b"{", b"[", f"<XJDF {TWO} ".encode()):
        assert isinstance(taken(prefix + data), Produced | Nothing | Failed)


CHILDREN = {
    parent: children.split()
    for parent, children in {
        "JDF": "AuditPool AuditPool ResourcePool ResourceLinkPool NodeInfo CustomerInfo JDF",
        "XJDF": "AuditPool ResourceSet ResourceSet ProductList GeneralID",
        "JMF": "Signal Response Query",
        "XJMF": "SignalStatus SignalResource ResponseStatus",
        "Signal": "DeviceInfo ResourceInfo ResourceQuParams",
        "Response": "DeviceInfo ResourceInfo",
        "SignalStatus": "Header DeviceInfo",
        "ResponseStatus": "Header DeviceInfo",
        "SignalResource": "Header ResourceInfo",
        "AuditPool": "AuditProcessRun AuditResource AuditStatus ProcessRun PhaseTime ResourceAudit",
        "AuditProcessRun": "Header ProcessRun",
        "AuditResource": "Header ResourceInfo",
        "AuditStatus": "Header DeviceInfo",
        "ResourceAudit": "MediaLink ComponentLink InkLink MISDetails",
        "PhaseTime": "Device Part MISDetails ComponentLink",
        "ResourceInfo": "ResourceSet AmountPool Media Ink MISDetails",
        "ResourceSet": "Resource Resource GeneralID",
        "Resource": "AmountPool Part Media Ink Component NodeInfo DeliveryParams Contact GeneralID",
        "AmountPool": "PartAmount PartAmount",
        "PartAmount": "Part PartWaste",
        "DeviceInfo": "JobPhase JobPhase Device",
        "JobPhase": "MISDetails Part",
        "NodeInfo": "GangSource MISDetails",
        "ResourcePool": "Media Ink Component NodeInfo DeliveryIntent Device",
        "ResourceLinkPool": "MediaLink InkLink ComponentLink NodeInfoLink DeliveryIntentLink",
        "MediaLink": "AmountPool Part",
        "InkLink": "AmountPool",
        "ComponentLink": "AmountPool",
        "ProductList": "Product Product",
        "DeliveryParams": "DropItem",
        "DeliveryIntent": "DropIntent",
        "DropIntent": "DropItemIntent",
        "Media": "Media Position",
        "Contact": "Address",
    }.items()
}
USUAL = {
    attribute: values.split()
    for attribute, values in {
        "JobID": "J1 J1 J2",
        "JobPartID": "P1 P2",
        "Type": "Status Resource Product ConventionalPrinting Combined Folding",
        "Types": "Product Folding ConventionalPrinting",
        "Name": "Media Media Ink Component NodeInfo DeliveryParams MiscConsumable UsageCounter",
        "ResourceName": "Media Ink MiscConsumable UsageCounter",
        "Usage": "Input Input Output",
        "Status": "Completed InProgress Setup Cleanup Waiting",
        "EndStatus": "Completed Completed Aborted Ready",
        "Start": "2026-03-02T08:00:00Z 2026-03-02T09:00:00+01:00",
        "StartTime": "2026-03-02T08:00:00Z 2026-03-02T08:30:00Z",
        "End": "2026-03-02T10:00:00Z 2026-03-02T11:00:00Z",
        "Time": "2026-03-02T10:00:00Z 2026-03-02T10:30:00Z",
        "TimeStamp": "2026-03-02T10:00:00Z 2026-03-02T10:30:00Z",
        "ID": "r1 r2 r3",
        "rRef": "r1 r2 r3",
        "refID": "r9 r3",
        "Amount": "5 7.25 0 1000",
        "ActualAmount": "5 7.25 0 1000.0000000005",
        "Waste": "1 2",
        "SheetName": "S1 S2",
        "Separation": "Cyan Black",
        "Condition": "Good Waste",
        "ProductID": "A B",
        "ExternalID": "A B",
        "DeviceID": "XL HP",
        "ComponentType": "FinalProduct Sheet",
        "Copies": "1 4",
        "IDUsage": "ChangeOrderID EstimateID",
        "IDValue": "X1",
        "WorkType": "Original Rework Alteration",
        "Unit": "g sheet kWh",
        "TotalDuration": "PT1H PT90M",
        "DropID": "D1 D2",
    }.items()
}
STRANGE = ["-1", "1e9", "1e999", "NaN", "", "P1Y", "2026-03-02T10:00:00", "é\u3000%", "0~1 x"]


def grown(dice: Random) -> bytes:
    """A job file of the usual elements with the usual words, rarely a strange one."""
    top = etree.Element(dice.choice(("JDF", "XJDF", "JMF", "XJMF")), JobID="J1", Status="Completed")
    todo = [top]
    for _ in range(dice.randrange(120)):
        parent = todo[dice.randrange(len(todo))]
        child = etree.SubElement(parent, dice.choice(CHILDREN[str(parent.tag)]), spoken(dice))
        todo += [child] if child.tag in CHILDREN else []
    return etree.tostring(top)


def spoken(dice: Random) -> dict[str, str]:
    """Most of the usual attributes; one in three hundred is strange."""
    return {
        name: dice.choice(STRANGE) if dice.random() < 1 / 300 else dice.choice(values)
        for name, values in USUAL.items()
        if dice.random() < 0.8
    }


@settings(max_examples=50)
@given(st.integers(0, 2**64))
def test_any_arrangement_of_known_words_has_an_outcome(seed: int) -> None:
    """Never an exception; what is produced can be encoded, and produced again, the same."""
    data = grown(Random(seed))
    outcome = taken(data)
    assert isinstance(outcome, Produced | Nothing | Failed)
    assert taken(data) == outcome
    if isinstance(outcome, Produced):
        assert all(Codec().encode(event) for event in outcome.events)
