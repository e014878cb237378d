"""Sheets into a PDF: pages, fonts, the logo, links, metadata; the same input, the same bytes."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

from services.invoicer.render.embed import embed
from services.invoicer.render.logo import Logo
from services.invoicer.render.pdf import File, deflated, stream, text
from services.invoicer.render.sheet import Box, Ink, Sheet

_CREATOR: Final = "Colophon"
_PACKED: Final = 4  # zlib's level for pages: half the time of the usual 6, a tenth more bytes
_PRINTED: Final = 4  # annotation flag that PDF/A asks for


def assemble(
    sheets: Sequence[Sheet],
    ink: Ink,
    *,
    title: str,
    author: str,
    subject: str,
    language: str,
    logo: Logo | None,
    made_at: datetime,
) -> bytes:
    """The PDF of `sheets`; `language` is its natural language (BCP 47), `made_at` is UTC."""
    file = File()
    fonts = " ".join(
        f"/{font.name} {embed(file, face, font.characters)}" for face, font in ink.fonts.items()
    )
    image = file.add(_image(logo)) if logo else ""
    tree = file.following(_objects_of(sheets))
    pages = [_page(file, sheet, tree, fonts, image) for sheet in sheets]
    file.add(f"<< /Type /Pages /Count {len(pages)} /Kids [{' '.join(pages)}] >>")
    root = file.add(
        f"<< /Type /Catalog /Pages {tree} /Lang {text(language)}"
        " /ViewerPreferences << /DisplayDocTitle true >> >>"
    )
    info = file.add(
        f"<< /Title {text(title)} /Author {text(author)} /Subject {text(subject)}"
        f" /Creator {text(_CREATOR)} /CreationDate (D:{made_at:%Y%m%d%H%M%S}Z) >>"
    )
    return file.closed(root, info, _identity(sheets, logo))


def _objects_of(sheets: Sequence[Sheet]) -> int:
    """How many objects the pages take: each page, its content and its links."""
    return sum(2 + len(sheet.links) for sheet in sheets)


def _page(file: File, sheet: Sheet, tree: str, fonts: str, image: str) -> str:
    operators, xobjects = sheet.operators, ""
    if image and sheet.logo_box:
        left, bottom, width, height = sheet.logo_box
        operators += f"\nq {width:.2f} 0 0 {height:.2f} {left:.2f} {bottom:.2f} cm /Logo Do Q"
        xobjects = f" /XObject << /Logo {image} >>"
    links = " ".join(file.add(_link(url, box)) for url, box in sheet.links)
    content = file.add(deflated(operators.encode(), level=_PACKED))
    return file.add(
        f"<< /Type /Page /Parent {tree} /MediaBox [0 0 {sheet.width:.4f} {sheet.height:.4f}]"
        f" /Resources << /Font << {fonts} >>{xobjects} >> /Contents {content} /Annots [{links}] >>"
    )


def _link(url: str, box: Box) -> str:
    edges = " ".join(f"{edge:.2f}" for edge in box)
    return (
        f"<< /Type /Annot /Subtype /Link /Rect [{edges}] /Border [0 0 0] /F {_PRINTED}"
        f" /Contents {text(url)} /A << /S /URI /URI <{url.encode().hex()}> >> >>"
    )


def _image(logo: Logo) -> bytes:
    entries = (
        f"/Type /XObject /Subtype /Image /Width {logo.pixels[0]} /Height {logo.pixels[1]}"
        f" /BitsPerComponent 8 /ColorSpace {logo.colours} /Filter /{logo.filter}"
    )
    return stream(logo.content, entries)


def _identity(sheets: Sequence[Sheet], logo: Logo | None) -> str:
    """The file's id: named by what stands in it."""
    digest = sha256(logo.content if logo else b"")
    for sheet in sheets:
        digest.update(sheet.operators.encode())
    return digest.hexdigest()[:32]
