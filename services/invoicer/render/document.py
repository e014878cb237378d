"""Sheets into a PDF: pages, fonts, the logo, links, metadata; the same input, the same bytes."""

import io
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final, cast

import reportlab.rl_config
from reportlab.pdfbase.pdfdoc import PDFDictionary, PDFDocument, PDFString
from reportlab.pdfgen.canvas import Canvas

from services.invoicer.render.embed import embed, refer, stream
from services.invoicer.render.faces import initial_font
from services.invoicer.render.logo import Logo
from services.invoicer.render.sheet import Box, Ink, Sheet

reportlab.rl_config.useA85 = 0  # text encoding of streams: a third larger, ten times slower
_CREATOR: Final = "Colophon"
_FONTS: Final = "BasicFonts"  # reportlab's name for the font resources that all pages share
_LOGO: Final = "Logo"
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
    canvas = Canvas(
        io.BytesIO(),
        pagesize=(sheets[0].width, sheets[0].height),
        pageCompression=1,
        invariant=1,
        initialFontName=initial_font(),  # type: ignore[arg-type]  # the stub is wrong
        lang=language,
    )
    canvas.setTitle(title)
    canvas.setAuthor(author)
    canvas.setSubject(subject)
    canvas.setCreator(_CREATOR)
    canvas.setViewerPreference("DisplayDocTitle", "true")
    # The only way to embed a font of our own, or an image that is compressed already.
    document: PDFDocument = canvas._doc  # type: ignore[attr-defined]  # noqa: SLF001 -- see above
    _stamp(document, sheets, logo, made_at)
    for sheet in sheets:
        canvas.addLiteral(sheet.operators)
        for url, box in sheet.links:
            canvas.linkURL(url, box, F=_PRINTED, Contents=PDFString(url))
        if logo and sheet.logo_box:
            _place(canvas, document, logo, sheet.logo_box)
        canvas.showPage()
    fonts = cast("PDFDictionary", document.idToObject[_FONTS]).dict
    for face, font in ink.fonts.items():
        fonts[font.name] = refer(document, embed(document, face, font.characters))
    return bytes(canvas.getpdfdata())  # type: ignore[no-untyped-call]


def _stamp(
    document: PDFDocument, sheets: Sequence[Sheet], logo: Logo | None, made_at: datetime
) -> None:
    """Date the file as the invoice is dated, and name it by what stands in it."""
    digest = sha256(logo.content if logo else b"")
    for sheet in sheets:
        digest.update(sheet.operators.encode())
    identity = digest.hexdigest()[:32]
    # reportlab offers no other way to set either.
    document._timeStamp.YMDhms = made_at.timetuple()[:6]  # type: ignore[attr-defined]  # noqa: SLF001 -- see above
    document._ID = f"[<{identity}><{identity}>]\n".encode()  # type: ignore[attr-defined]  # noqa: SLF001 -- see above


def _place(canvas: Canvas, document: PDFDocument, logo: Logo, box: Box) -> None:
    left, bottom, width, height = box
    entries = (
        f"/Type /XObject /Subtype /Image /Width {logo.pixels[0]} /Height {logo.pixels[1]}"
        f" /BitsPerComponent 8 /ColorSpace {logo.colours} /Filter /{logo.filter}"
    )
    document.addForm(_LOGO, stream(logo.content, entries))
    canvas.addLiteral(f"q {width:.2f} 0 0 {height:.2f} {left:.2f} {bottom:.2f} cm")
    canvas.doForm(_LOGO)
    canvas.addLiteral("Q")
