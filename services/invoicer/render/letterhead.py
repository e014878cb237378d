"""What stands around the figures: letterhead, address window, facts, running head, legal foot."""

from dataclasses import dataclass
from typing import Final

from services.invoicer.render.page import Scene, address_lines, leading, paragraph
from services.invoicer.render.sheet import Sheet
from services.invoicer.render.text import shape, wrap
from services.invoicer.render.theme import FAINT, LEFT, MM
from shared.events.masterdata import BankAccount

_LOGO_TOP: Final = 13 * MM
_RETURN_LINE: Final = 50 * MM
_ADDRESS: Final = 58 * MM
_ADDRESS_WIDTH: Final = 80 * MM
_ADDRESS_HEIGHT: Final = 34 * MM
_FACTS: Final = 50 * MM
_FACTS_WIDTH: Final = 75 * MM
_FACTS_LABEL: Final = 33 * MM
_FACT_LINES_MAX: Final = 2
_TITLE: Final = 95 * MM
_BELOW_TITLE: Final = 5.4 * MM
_DESCRIPTION_LINES_MAX: Final = 3
_NEXT_HEAD: Final = 16 * MM
_NEXT_TOP: Final = 24 * MM
_FOOT_BOTTOM: Final = 8 * MM
_FOOT_GAP: Final = 9.0
_FOOT_LINES_MAX: Final = 16
_SLACK: Final = 0.01  # what rounding may take
_PAGE_LINE: Final = 9.0
_MARK: Final = (5 * MM, 4 * MM)


@dataclass(frozen=True)
class _Column:
    """A column of the foot: its left edge and its lines."""

    left: float
    lines: tuple[str, ...]


def first_head(sheet: Sheet, scene: Scene) -> float:
    """Draw the first page's head; returns where the table may begin."""
    _letterhead(sheet, scene)
    _address(sheet, scene)
    _facts(sheet, scene)
    for mark in scene.paper.folds:
        sheet.rule(_MARK[0], mark, _MARK[1], 0.4, FAINT)
    return _title(sheet, scene)


def first_top(scene: Scene) -> float:
    """Where the table may begin on the first page."""
    lines = len(_description(scene))
    return _TITLE + _BELOW_TITLE + lines * leading(scene.theme.label)


def next_head(sheet: Sheet, scene: Scene) -> float:
    """Draw the head of a page that is not the first; returns where its rows may begin."""
    issued, words, paper, theme = scene.issued, scene.words, scene.paper, scene.theme
    sheet.text(LEFT, _NEXT_HEAD, issued.seller.name, theme.value)
    which = f"{words.invoice} {issued.invoice_number} · {scene.date(issued.issued_on)}"
    sheet.right(paper.right, _NEXT_HEAD, which, theme.label)
    sheet.rule(LEFT, _NEXT_HEAD + 6, paper.measure, 0.6, FAINT)
    return _NEXT_TOP


def next_top() -> float:
    """Where rows may begin on a page that is not the first."""
    return _NEXT_TOP


def foot_top(scene: Scene) -> float:
    """Where rows must end, so that the foot has its room."""
    lines = max(len(column.lines) for column in _foot_columns(scene))
    return scene.paper.height - _FOOT_BOTTOM - lines * leading(scene.theme.foot) - _PAGE_LINE - 6.5


def foot(sheet: Sheet, scene: Scene, page: int, pages: int) -> None:
    """Draw the legal foot and the page's number."""
    theme, paper = scene.theme, scene.paper
    columns = _foot_columns(scene)
    step = leading(theme.foot)
    top = paper.height - _FOOT_BOTTOM - max(len(column.lines) for column in columns) * step
    number = scene.words.page.format(page=page, pages=pages)
    sheet.right(paper.right, top - _PAGE_LINE, number, theme.small)
    sheet.rule(LEFT, top - _PAGE_LINE + 4.5, paper.measure, 0.6, FAINT)
    for column in columns:
        for index, line in enumerate(column.lines):
            heavy = column is columns[0] and index == 0
            style = theme.foot_name if heavy else theme.foot
            sheet.text(column.left, top + 5 + index * step, line, style)


def _letterhead(sheet: Sheet, scene: Scene) -> None:
    seller, theme, right = scene.issued.seller, scene.theme, scene.paper.right
    if scene.logo:
        sheet.place_logo(LEFT, _LOGO_TOP, scene.logo.width, scene.logo.height)
    else:
        lines = wrap(seller.name, theme.name.face, theme.name.size, 100 * MM)
        for index, line in enumerate(lines):
            sheet.text(LEFT, _LOGO_TOP + 14 + index * leading(theme.name), line, theme.name)
    y = _LOGO_TOP + 7
    sheet.right(right, y, seller.name, theme.value)
    home = seller.address.country
    for line in address_lines(seller.address, scene.words.language, home):
        y += leading(theme.small)
        sheet.right(right, y, line, theme.small)


def _address(sheet: Sheet, scene: Scene) -> None:
    """Buyer's name and address inside the envelope's window, the sender's in one line above."""
    issued, theme = scene.issued, scene.theme
    home, language = issued.seller.address.country, scene.words.language
    sender = address_lines(issued.seller.address, language, home)
    line = " · ".join((issued.seller.name, *sender))
    (line, *_) = wrap(line, theme.foot.face, theme.foot.size, _ADDRESS_WIDTH)
    end = sheet.text(LEFT, _RETURN_LINE, line, theme.foot)
    sheet.rule(LEFT, _RETURN_LINE + 2.4, end - LEFT, 0.3, FAINT)
    names = wrap(issued.buyer.name, theme.address_name.face, theme.address.size, _ADDRESS_WIDTH)
    rest = [
        piece
        for line in address_lines(issued.buyer.address, language, home)
        for piece in wrap(line, theme.address.face, theme.address.size, _ADDRESS_WIDTH)
    ]
    step = min(leading(theme.address), _ADDRESS_HEIGHT / (len(names) + len(rest)))
    for index, line in enumerate((*names, *rest)):
        style = theme.address_name if index < len(names) else theme.address
        sheet.text(LEFT, _ADDRESS + index * step, line, style)


def _facts(sheet: Sheet, scene: Scene) -> None:
    issued, words, theme = scene.issued, scene.words, scene.theme
    facts = (
        (words.invoice_number, issued.invoice_number, theme.value),
        (words.invoice_date, scene.date(issued.issued_on), theme.text),
        (words.supplied_on, scene.date(issued.completed_on), theme.text),
        (words.due_on, scene.date(issued.due_on), theme.value),
        (words.customer, issued.buyer.customer_id, theme.text),
        (words.order, issued.order_ref, theme.text),
        (words.job, issued.job_id, theme.text),
        (words.buyer_vat_id, issued.buyer.vat_id, theme.text),
    )
    left = scene.paper.right - _FACTS_WIDTH
    y = _FACTS
    for label, value, style in facts:
        if not value:
            continue
        sheet.text(left, y, label, theme.label)
        width = _FACTS_WIDTH - _FACTS_LABEL
        lines = wrap(value, style.face, style.size, width)[:_FACT_LINES_MAX]
        for line in lines:
            sheet.text(left + _FACTS_LABEL, y, line, style)
            y += leading(style)
        y += 1.2


def _title(sheet: Sheet, scene: Scene) -> float:
    issued, theme = scene.issued, scene.theme
    sheet.text(LEFT, _TITLE, f"{scene.words.invoice} {issued.invoice_number}", theme.title)
    y = _TITLE + _BELOW_TITLE
    for line in _description(scene):
        y = paragraph(sheet, LEFT, y, line, theme.label, scene.paper.measure)
    return first_top(scene)


def _description(scene: Scene) -> tuple[str, ...]:
    style = scene.theme.label
    lines = wrap(scene.issued.description, style.face, style.size, scene.paper.measure)
    return lines[:_DESCRIPTION_LINES_MAX]


def _foot_columns(scene: Scene) -> list[_Column]:
    """Who the seller is, how to reach it, what it is registered as, where its money goes."""
    seller, words = scene.issued.seller, scene.words
    home = seller.address.country
    columns = (
        [seller.name, *address_lines(seller.address, words.language, home)],
        [f"{words.phone} {seller.phone}" if seller.phone else "", seller.email, seller.website],
        [
            seller.registration,
            f"{words.seller_vat_id} {seller.vat_id}" if seller.vat_id else "",
            f"{words.tax_number} {seller.tax_number}" if seller.tax_number else "",
        ],
        [line for account in seller.bank_accounts[:1] for line in _bank_lines(account, scene)],
    )
    kept = [[line for line in column if line] for column in columns]
    kept = [column for column in kept if column]
    style = scene.theme.foot
    heavier = scene.theme.foot_name.face
    natural = [max(shape(line, style.face).width * style.size for line in one) for one in kept]
    natural[0] = max(natural[0], shape(seller.name, heavier).width * style.size)
    widths = _shared(natural, scene.paper.measure - _FOOT_GAP * (len(kept) - 1))
    spare = (scene.paper.measure - sum(widths)) / max(1, len(kept) - 1)
    left, placed = LEFT, []
    for lines, width in zip(kept, widths, strict=True):
        wrapped = [part for line in lines for part in wrap(line, style.face, style.size, width)]
        placed.append(_Column(left, tuple(wrapped[:_FOOT_LINES_MAX])))
        left += width + spare
    return placed


def _shared(natural: list[float], room: float) -> list[float]:
    """Widths as wished where they fit; else the narrow ones as wished, the others alike."""
    widths = [0.0] * len(natural)
    for taken, index in enumerate(sorted(range(len(natural)), key=natural.__getitem__)):
        widths[index] = min(natural[index] + _SLACK, room / (len(natural) - taken))
        room -= widths[index]
    return widths


def _bank_lines(account: BankAccount, scene: Scene) -> list[str]:
    bic = f"{scene.words.bic} {account.bic}" if account.bic else ""
    return [account.bank_name or "", grouped(account.account), bic]


def grouped(account: str) -> str:
    """An IBAN in groups of four, as people read it; any other account as it is."""
    compact = account.replace(" ", "")
    if compact[:2].isalpha() and compact[2:4].isdigit():
        return "\u00a0".join(compact[at : at + 4] for at in range(0, len(compact), 4))
    return account
