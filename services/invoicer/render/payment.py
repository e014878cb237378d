"""How to pay, by when, and what happens otherwise: in words, as a code to scan, as a link."""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from services.invoicer.render.letterhead import grouped
from services.invoicer.render.page import Row, Scene, height_of, leading, paragraph
from services.invoicer.render.pages import Extent
from services.invoicer.render.qr import Code, payment_code
from services.invoicer.render.sheet import Sheet
from services.invoicer.render.text import wrap
from services.invoicer.render.theme import LEFT, MM, WHITE
from shared.calendar import pay_by
from shared.events.masterdata import BankAccount
from shared.money import round_money

_PAD: Final = 10.0
_QR: Final = 27 * MM
_QUIET: Final = 5.0
_LABEL: Final = 90.0
_HUNDRED: Final = Decimal(100)
_ABOVE: Final = 4.0

_Part = tuple[float, Callable[[Sheet, float], None]]


def payment(scene: Scene) -> Row:
    """The payment box, kept together."""
    accounts = _accounts(scene)
    code = payment_code(scene.issued, accounts[0] if accounts else None)
    width = scene.paper.measure - 2 * _PAD - ((_QR + 2 * _QUIET + _PAD) if code else 0)
    parts = _parts(scene, accounts, width)
    text_height = sum(height for height, _ in parts)
    code_height = _code_height(code, scene)
    inner = max(text_height, code_height)

    def draw(sheet: Sheet, top: float) -> None:
        top += _ABOVE
        sheet.box(LEFT, top, scene.paper.measure, inner + 2 * _PAD, scene.theme.tint)
        sheet.box(LEFT, top, 2.4, inner + 2 * _PAD, scene.theme.accent)
        if code:
            _draw_code(sheet, top + _PAD, code, scene)
        y = top + _PAD
        for height, part in parts:
            part(sheet, y)
            y += height

    return Row(Extent(_ABOVE + inner + 2 * _PAD + _ABOVE), draw)


def _parts(scene: Scene, accounts: list[BankAccount], width: float) -> list[_Part]:
    issued, words, theme = scene.issued, scene.words, scene.theme
    if issued.gross_total <= 0:
        return [_prose(words.nothing_to_pay, scene, width)]
    due = words.pay_by.format(
        amount=scene.amount(issued.gross_total), date=scene.date(issued.due_on)
    )
    is_own_language = scene.locale[:2] == issued.seller.locale[:2].lower()
    parts = [_lead(due, scene, width)]
    parts += [_prose(text, scene, width) for text in _discount(scene)]
    for account in accounts:
        parts += [_fact(*fact, scene) for fact in _account_facts(account, scene)]
    parts.append(_fact(words.reference, grouped(issued.payment_reference), scene))
    if issued.payment_url:
        parts.append(_link(issued.payment_url, scene, width))
    late = (issued.seller.late_payment_text if is_own_language else None) or words.late_payment
    height = height_of(late, theme.small, width)

    def draw(sheet: Sheet, top: float) -> None:
        paragraph(sheet, LEFT + _PAD, top + 13, late, theme.small, width)

    return [*parts, (height + 4, draw)]


def _lead(text: str, scene: Scene, width: float) -> _Part:
    style = scene.theme.lead

    def draw(sheet: Sheet, top: float) -> None:
        paragraph(sheet, LEFT + _PAD, top + 9, text, style, width)

    return height_of(text, style, width) + 4, draw


def _prose(text: str, scene: Scene, width: float) -> _Part:
    style = scene.theme.text

    def draw(sheet: Sheet, top: float) -> None:
        paragraph(sheet, LEFT + _PAD, top + 7, text, style, width)

    return height_of(text, style, width) + 3, draw


def _fact(label: str, value: str, scene: Scene) -> _Part:
    def draw(sheet: Sheet, top: float) -> None:
        sheet.text(LEFT + _PAD, top + 9, label, scene.theme.label)
        sheet.text(LEFT + _PAD + _LABEL, top + 9, value, scene.theme.value)

    return leading(scene.theme.text) + 0.4, draw


def _link(url: str, scene: Scene, width: float) -> _Part:
    style = scene.theme.link
    lines = wrap(url, style.face, style.size, width - _LABEL)
    height = len(lines) * leading(style)

    def draw(sheet: Sheet, top: float) -> None:
        sheet.text(LEFT + _PAD, top + 9, scene.words.online, scene.theme.label)
        left, y = LEFT + _PAD + _LABEL, top + 9
        for line in lines:
            end = sheet.text(left, y, line, style)
            sheet.rule(left, y + 1.4, end - left, 0.35, style.colour)
            y += leading(style)
        sheet.link(left, top, width - _LABEL, height + 4, url)

    return height + 3.5, draw


def _discount(scene: Scene) -> list[str]:
    issued = scene.issued
    terms = issued.payment_terms
    if terms.discount_percent is None or terms.discount_days is None:
        return []
    taken = round_money(issued.gross_total * terms.discount_percent / _HUNDRED, issued.currency)
    calendar = (issued.calendar_country, issued.calendar_subdivision)
    by = pay_by(issued.issued_on, terms.discount_days, *calendar)
    return [
        scene.words.discount.format(
            date=scene.date(by),
            percent=scene.numbers.rate(terms.discount_percent),
            discount=scene.amount(taken),
            amount=scene.amount(issued.gross_total - taken),
        )
    ]


def _accounts(scene: Scene) -> list[BankAccount]:
    """The seller's accounts in the invoice's currency, or all of them where none is."""
    accounts = scene.issued.seller.bank_accounts
    matching = [one for one in accounts if one.currency == scene.issued.currency]
    return matching[:1] or list(accounts[:2])


def _account_facts(account: BankAccount, scene: Scene) -> list[tuple[str, str]]:
    words = scene.words
    shown = grouped(account.account)
    foreign = f" ({account.currency})" if account.currency != scene.issued.currency else ""
    facts = [
        (words.account_holder, scene.issued.seller.name),
        (words.account if shown == account.account else words.iban, shown + foreign),
    ]
    if account.bic:
        facts.append((words.bic, " · ".join(filter(None, (account.bic, account.bank_name)))))
    elif account.bank_name:
        facts.append((words.bank, account.bank_name))
    return facts


def _caption(code: Code, scene: Scene) -> tuple[str, ...]:
    style, words = scene.theme.foot, scene.words
    text = words.scan_transfer if code.transfer else words.scan_link
    return wrap(text, style.face, style.size, _QR + 2 * _QUIET)


def _code_height(code: Code | None, scene: Scene) -> float:
    if code is None:
        return 0
    return _QR + 2 * _QUIET + len(_caption(code, scene)) * leading(scene.theme.foot) + 3


def _draw_code(sheet: Sheet, top: float, code: Code, scene: Scene) -> None:
    side = _QR + 2 * _QUIET
    left = scene.paper.right - _PAD - side
    sheet.box(left, top, side, side, WHITE)
    sheet.bits(left + _QUIET, top + _QUIET, _QR, code.rows, code.count)
    y = top + side + 8
    for line in _caption(code, scene):
        sheet.centre(left + side / 2, y, line, scene.theme.foot)
        y += leading(scene.theme.foot)
    if scene.issued.payment_url and not code.transfer:
        sheet.link(left, top, side, side, scene.issued.payment_url)
