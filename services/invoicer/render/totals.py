"""Below the table: net, tax by category and rate, total; and estimate against actual."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from services.invoicer.render.page import Row, Scene, height_of, paragraph
from services.invoicer.render.pages import Extent
from services.invoicer.render.sheet import Sheet, Style
from services.invoicer.render.theme import FAINT, LEFT, MM
from shared.events.billing import TaxSubtotal, Variance

_WIDTH: Final = 88 * MM
_NOTES_GAP: Final = 8 * MM
_LINE: Final = 13.6
_TOP: Final = 7.0
_BAR: Final = 22.0
_BELOW: Final = 6.0
_HEADING: Final = 16.5
_VARIANCE: Final = 11.5
_TENTH: Final = Decimal("0.1")


def totals(scene: Scene) -> Row:
    """Net, taxes and total, kept together, with what an exemption rests on beside them."""
    issued, theme, words = scene.issued, scene.theme, scene.words
    notes = [_note(tax, scene) for tax in issued.taxes if tax.rate == 0]
    notes_width = scene.paper.measure - _WIDTH - _NOTES_GAP
    notes_height = sum(height_of(note, theme.small, notes_width) for note in notes)
    lines_height = (1 + len(issued.taxes)) * _LINE
    height = max(_TOP + lines_height + _BAR, _TOP + 10 + notes_height) + _BELOW

    def draw(sheet: Sheet, top: float) -> None:
        left, right = scene.paper.right - _WIDTH, scene.paper.right
        sheet.rule(LEFT, top + 3, scene.paper.measure, 0.6, FAINT)
        y = top + _TOP + 10
        for note in notes:
            y = paragraph(sheet, LEFT, y, note, theme.small, notes_width)
        y = top + _TOP + 10
        sheet.text(left, y, words.net_total, theme.text)
        sheet.right(right - 8, y, scene.money(issued.net_total), theme.value)
        for tax in issued.taxes:
            y += _LINE
            sheet.text(left, y, _tax_label(tax, scene), theme.text)
            sheet.right(right - 8, y, scene.money(tax.tax), theme.text)
        top = y + 7
        sheet.box(left - 8, top, _WIDTH + 8, _BAR, theme.accent)
        bar = Style(theme.total.face, theme.total.size, theme.on_accent, strong=True)
        sheet.text(left, top + 15, words.total, bar)
        sheet.right(right - 8, top + 15, scene.amount(issued.gross_total), bar)

    return Row(Extent(height), draw)


def estimate(scene: Scene) -> list[Row]:
    """Estimate against actual per component and in total, where the agreement shows it."""
    variances = scene.issued.variances
    if not variances:
        return []
    ordered = sorted(variances, key=lambda variance: variance.component is None)
    height = _HEADING + _VARIANCE * (1 + len(ordered)) + 2

    def draw(sheet: Sheet, top: float) -> None:
        theme, words = scene.theme, scene.words
        heading = words.estimate_heading.format(currency=scene.issued.currency)
        sheet.text(LEFT, top + 11, heading, theme.heading)
        y = top + _HEADING + 7
        heads = (words.estimated, words.actual, words.difference, "%", words.agreed_limits)
        _cells(sheet, y, words.component, heads, theme.column, scene)
        sheet.rule(LEFT, y + 3.5, scene.paper.measure, 0.6, FAINT)
        y += 2
        for variance in ordered:
            y += _VARIANCE
            style = theme.value if variance.component is None else theme.text
            label = (
                words.components[variance.component] if variance.component else words.estimate_total
            )
            _cells(sheet, y, label, _variance(variance, scene), style, scene)

    return [Row(Extent(height), draw)]


def _cells(
    sheet: Sheet, y: float, label: str, values: tuple[str, ...], style: Style, scene: Scene
) -> None:
    sheet.text(LEFT, y, label, style)
    measure = scene.paper.measure
    for share, value in zip((0.45, 0.575, 0.70, 0.775, 1.0), values, strict=True):
        sheet.right(LEFT + measure * share, y, value, style)


def _variance(variance: Variance, scene: Scene) -> tuple[str, ...]:
    words = scene.words
    percent = "–"
    if variance.percent is not None:
        shown = variance.percent.quantize(_TENTH, ROUND_HALF_UP) + 0  # minus zero is zero
        percent = _signed(scene.numbers.number(shown, 1), shown)
    return (
        scene.money(variance.estimated),
        scene.money(variance.actual),
        _signed(scene.money(variance.difference), variance.difference),
        percent,
        words.within if variance.within else words.outside,
    )


def _signed(text: str, value: Decimal) -> str:
    return f"+{text}" if value > 0 else text


def _tax_label(tax: TaxSubtotal, scene: Scene) -> str:
    words = scene.words
    template = words.tax_line if tax.rate else words.tax_free_line
    return template.format(
        tax=words.tax_name(scene.issued.seller.address.country),
        rate=scene.numbers.rate(tax.rate),
        category=tax.category,
        net=scene.money(tax.net),
    )


def _note(tax: TaxSubtotal, scene: Scene) -> str:
    reason = tax.exemption_text or scene.words.exemptions.get(tax.category, "")
    code = f" ({tax.exemption_code})" if tax.exemption_code else ""
    return f"{tax.category}: {reason}{code}"
