"""An issued invoice as a document: the rows, their pages, and everything around them."""

from dataclasses import dataclass
from itertools import accumulate

from services.invoicer.render.document import assemble
from services.invoicer.render.letterhead import (
    first_head,
    first_top,
    foot,
    foot_top,
    next_head,
    next_top,
)
from services.invoicer.render.logo import Logo
from services.invoicer.render.numbers import number_style
from services.invoicer.render.page import Row, Scene
from services.invoicer.render.pages import Page, Room, paginate
from services.invoicer.render.payment import payment
from services.invoicer.render.sheet import Ink, Sheet
from services.invoicer.render.table import CARRY_HEIGHT, HEAD_HEIGHT, Table, table
from services.invoicer.render.theme import paper_for, theme
from services.invoicer.render.totals import estimate, totals
from services.invoicer.render.words import choose
from shared.events.billing import InvoiceIssued


@dataclass(frozen=True)
class Rendered:
    """A document: its bytes, its language, and the characters that no face on board has."""

    content: bytes
    language: str
    missing: frozenset[str]
    media_type: str = "application/pdf"


def render_invoice(issued: InvoiceIssued, logo: Logo | None) -> Rendered:
    """The PDF of `issued`; the same invoice and logo always give the same bytes."""
    scene = _scene(issued, logo)
    items = table(scene)
    rows = (*items.rows, totals(scene), payment(scene), *estimate(scene))
    bottom = foot_top(scene)
    room = Room(
        first=bottom - first_top(scene) - HEAD_HEIGHT,
        other=bottom - next_top(),
        carry=CARRY_HEIGHT,
        head=HEAD_HEIGHT + CARRY_HEIGHT,
    )
    pages = paginate([row.extent for row in rows], room)
    ink = Ink()
    sheets = [_sheet(scene, items, rows, pages, number, ink) for number in range(len(pages))]
    words = scene.words
    title = f"{words.invoice} {issued.invoice_number}"
    content = assemble(
        sheets,
        ink,
        title=f"{title} – {issued.seller.name}",
        author=issued.seller.name,
        subject=issued.description,
        language=scene.locale.replace("_", "-"),
        logo=logo,
        made_at=issued.issued_at,
    )
    return Rendered(content, words.language, frozenset(ink.missing))


def _scene(issued: InvoiceIssued, logo: Logo | None) -> Scene:
    home = issued.seller.address.country
    words, locale = choose(
        issued.buyer.locale, issued.seller.locale, abroad=issued.buyer.address.country != home
    )
    return Scene(
        issued=issued,
        words=words,
        locale=locale,
        numbers=number_style(locale),
        theme=theme(issued.seller.accent_colour),
        paper=paper_for(home),
        logo=logo,
    )


def _sheet(
    scene: Scene,
    items: Table,
    rows: tuple[Row, ...],
    pages: tuple[Page, ...],
    number: int,
    ink: Ink,
) -> Sheet:
    """Page `number` from 0; where lines go on over a break, so does the sum so far."""
    sheet, page = Sheet(scene.paper.width, scene.paper.height, ink), pages[number]
    sums = list(accumulate(row.amount for row in rows))
    y = next_head(sheet, scene) if number else first_head(sheet, scene)
    if rows[page.start].extent.in_table:
        items.head(sheet, y)
        y += HEAD_HEIGHT
        if number:
            items.brought(sheet, y, sums[page.start - 1])
            y += CARRY_HEIGHT
    for row in rows[page.start : page.end]:
        row.draw(sheet, y)
        y += row.extent.height
    if page.end < len(rows) and rows[page.end].extent.in_table:
        items.carried(sheet, y, sums[page.end - 1])
    foot(sheet, scene, number + 1, len(pages))
    return sheet
