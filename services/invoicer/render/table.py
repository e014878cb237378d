"""The itemised table: sections, lines, subtotals, and what a page break carries along."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import Final

from services.invoicer.render.page import Row, Scene, leading
from services.invoicer.render.pages import Extent
from services.invoicer.render.sheet import Sheet, Style
from services.invoicer.render.text import shape, wrap
from services.invoicer.render.theme import FAINT, LEFT
from shared.events.billing import InvoiceLine
from shared.money import ZERO, minor_unit

HEAD_HEIGHT: Final = 17.0
CARRY_HEIGHT: Final = 16.0
_SECTION_HEIGHT: Final = 16.5
_SUBTOTAL_HEIGHT: Final = 15.0
_SUBTOTAL_FROM: Final = 3
_PAD: Final = 1.35
_GAP: Final = 11.0
_CLOSE: Final = 3.0
_LINES_PER_ROW: Final = 12
_ONE: Final = Decimal(1)


@dataclass(frozen=True)
class Cells:
    """The texts of one line's cells."""

    number: str
    quantity: str
    unit: str
    price: str
    per: str
    tax: str
    net: str


@dataclass(frozen=True)
class Columns:
    """Where the columns are: left edges of texts, right edges of figures."""

    description: float
    description_width: float
    quantity: float
    unit: float
    price: float
    per: float
    tax: float
    net: float


@dataclass(frozen=True)
class Table:
    """The rows of the table, and how its head and the sums at a page break are drawn."""

    scene: Scene
    columns: Columns
    rows: tuple[Row, ...]

    def head(self, sheet: Sheet, top: float) -> None:
        """Draw the columns' names and the rule under them."""
        words, style, at = self.scene.words, self.scene.theme.column, self.columns
        y = top + 9
        sheet.text(LEFT, y, words.number, style)
        sheet.text(at.description, y, words.description, style)
        sheet.right(at.quantity, y, words.quantity, style)
        sheet.right(at.price, y, words.unit_price, style)
        sheet.right(at.tax, y, _tax_name(self.scene), style)
        currency = self.scene.issued.currency
        sheet.right(at.net, y, words.amount.format(currency=currency), style)
        sheet.rule(LEFT, top + 13.5, self.scene.paper.measure, 1, self.scene.theme.accent)

    def carried(self, sheet: Sheet, top: float, amount: Decimal) -> None:
        """Draw the sum of all lines so far at the foot of a page."""
        sheet.rule(LEFT, top + 2, self.scene.paper.measure, 0.6, FAINT)
        self._sum(sheet, top + 13, self.scene.words.carried_forward, amount)

    def brought(self, sheet: Sheet, top: float, amount: Decimal) -> None:
        """Draw the same sum at the head of the next page."""
        self._sum(sheet, top + 8, self.scene.words.brought_forward, amount)

    def _sum(self, sheet: Sheet, y: float, label: str, amount: Decimal) -> None:
        sheet.text(self.columns.description, y, label, self.scene.theme.label)
        sheet.right(self.columns.net, y, self.scene.money(amount), self.scene.theme.value)


def table(scene: Scene) -> Table:
    """The itemised table of an invoice; its last row clings to what comes below it."""
    order = list(scene.words.sections)
    lines = sorted(scene.issued.lines, key=lambda line: (order.index(line.kind), line.line_no))
    cells = {line.line_no: _cells(line, scene) for line in lines}
    columns = _columns(scene, list(cells.values()))
    sections = [(kind, list(group)) for kind, group in groupby(lines, key=lambda line: line.kind)]
    rows: list[Row] = []
    for kind, members in sections:
        rows.append(_section(scene, scene.words.sections[kind]))
        for line in members:
            rows += _line(scene, columns, line, cells[line.line_no])
        if len(members) >= _SUBTOTAL_FROM and len(sections) > 1:
            rows[-1] = _clinging(rows[-1])
            total = sum((line.net for line in members), ZERO)
            rows.append(_subtotal(scene, columns, scene.words.sections[kind], total))
    rows[-1] = _clinging(rows[-1])
    return Table(scene, columns, tuple(rows))


def _cells(line: InvoiceLine, scene: Scene) -> Cells:
    numbers, words = scene.numbers, scene.words
    price = numbers.shortest(line.unit_price, minor_unit(scene.issued.currency))
    per = "" if line.per == _ONE else words.per.format(price="", per=numbers.shortest(line.per))
    return Cells(
        number=str(line.line_no),
        quantity=numbers.shortest(line.quantity),
        unit=words.unit(line.unit),
        price=price,
        per=per.strip(),
        tax=numbers.rate(line.tax_rate),
        net=scene.money(line.net),
    )


def _columns(scene: Scene, cells: list[Cells]) -> Columns:
    """Columns as wide as their widest figure, so that the description gets all the rest."""
    theme, words, issued = scene.theme, scene.words, scene.issued

    def widest(texts: Iterator[str], head: str = "") -> float:
        named = _width(head, theme.column)
        return max(named, *(_width(text, theme.text) for text in texts))

    amount = words.amount.format(currency=issued.currency)
    net = scene.paper.right
    tax = net - widest((cell.net for cell in cells), amount) - _GAP
    per_width = widest(cell.per for cell in cells)
    per = tax - widest((cell.tax for cell in cells), _tax_name(scene)) - _GAP - per_width
    price = per - (_CLOSE if per_width else 0)
    unit_width = widest(cell.unit for cell in cells)
    unit = price - widest((cell.price for cell in cells), words.unit_price) - _GAP - unit_width
    quantity = unit - _CLOSE
    number = widest((cell.number for cell in cells), words.number) + _GAP / 2
    end = quantity - widest((cell.quantity for cell in cells), words.quantity) - _GAP
    description = LEFT + number
    return Columns(description, end - description, quantity, unit, price, per, tax, net)


def _section(scene: Scene, name: str) -> Row:
    def draw(sheet: Sheet, top: float) -> None:
        sheet.text(LEFT, top + 12.5, name, scene.theme.heading)

    return Row(Extent(_SECTION_HEIGHT, keep_next=True, in_table=True), draw)


def _line(scene: Scene, columns: Columns, line: InvoiceLine, cells: Cells) -> list[Row]:
    """A line's row; a very long description goes on in rows of its own."""
    style, note = scene.theme.text, scene.theme.small
    width = columns.description_width
    texts = [(text, style) for text in wrap(line.description, style.face, style.size, width)]
    if line.change_order_ref:
        reference = scene.words.change_order.format(ref=line.change_order_ref)
        texts += [(text, note) for text in wrap(reference, note.face, note.size, width)]
    first, rest = texts[:_LINES_PER_ROW], texts[_LINES_PER_ROW:]
    parts = [rest[at : at + _LINES_PER_ROW] for at in range(0, len(rest), _LINES_PER_ROW)]
    more = [_line_row(scene, columns, part, None, ZERO) for part in parts]
    return [_line_row(scene, columns, first, cells, line.net), *more]


def _line_row(
    scene: Scene,
    at: Columns,
    texts: list[tuple[str, Style]],
    cells: Cells | None,
    amount: Decimal,
) -> Row:
    style, step = scene.theme.text, leading(scene.theme.text)

    def draw(sheet: Sheet, top: float) -> None:
        y = top + _PAD + style.size
        if cells:
            sheet.text(LEFT, y, cells.number, scene.theme.label)
        for index, (text, look) in enumerate(texts):
            sheet.text(at.description, y + index * step, text, look)
            if cells and index == 0:  # in reading order, for those who have the page read out
                _figures(sheet, y, at, cells, scene)

    return Row(Extent(len(texts) * step + 2 * _PAD, in_table=True), draw, amount)


def _figures(sheet: Sheet, y: float, at: Columns, cells: Cells, scene: Scene) -> None:
    style = scene.theme.text
    sheet.right(at.quantity, y, cells.quantity, style)
    sheet.text(at.unit, y, cells.unit, style)
    sheet.right(at.price, y, cells.price, style)
    if cells.per:
        sheet.text(at.per, y, cells.per, scene.theme.label)
    sheet.right(at.tax, y, cells.tax, style)
    sheet.right(at.net, y, cells.net, style)


def _subtotal(scene: Scene, at: Columns, section: str, total: Decimal) -> Row:
    def draw(sheet: Sheet, top: float) -> None:
        left = at.description
        sheet.rule(left, top + 1.5, scene.paper.right - left, 0.4, FAINT)
        label = scene.words.subtotal.format(section=section)
        sheet.text(left, top + 11, label, scene.theme.label)
        sheet.right(at.net, top + 11, scene.money(total), scene.theme.value)

    return Row(Extent(_SUBTOTAL_HEIGHT, in_table=True), draw)


def _clinging(row: Row) -> Row:
    extent = Extent(row.extent.height, keep_next=True, in_table=True)
    return Row(extent, row.draw, row.amount)


def _tax_name(scene: Scene) -> str:
    return scene.words.tax_name(scene.issued.seller.address.country)


def _width(text: str, style: Style) -> float:
    return shape(text, style.face).width * style.size
