"""A letter as plain text and as simple HTML: tables and inline styles, which is what mail shows."""

from html import escape
from itertools import zip_longest
from textwrap import wrap
from typing import Final

from services.notifier.render.letter import Figure, Letter

TEXT_WIDTH: Final = 76
_DARK: Final = "#1f2933"
_LIGHT: Final = "#ffffff"
# Inline styles are what every client shows; the classes turn them dark where a reader wants that.
_PAGE: Final = """\
<!DOCTYPE html>
<html lang="{language}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark"><title>{subject}</title>
<style>@media (prefers-color-scheme:dark){{\
.page{{background:#11161c!important}}.card{{background:#1d252e!important}}\
.ink{{color:#e8ecf0!important}}.dim{{color:#a9b4c0!important;border-color:#36424f!important}}}}\
</style></head>
<body class="page ink" style="margin:0;background:#eef1f4;color:#1f2933;\
font-family:Helvetica,Arial,sans-serif">
<table role="presentation" class="page" width="100%" cellpadding="0" cellspacing="0">
<tr><td align="center" style="padding:24px 8px">
<table role="presentation" class="card" width="600" cellpadding="0" cellspacing="0"
 style="max-width:600px;width:100%;background:#ffffff;border-radius:6px">
<tr><td style="background:{accent};color:{on_accent};padding:18px 28px;font-size:17px;\
border-radius:6px 6px 0 0">{seller}</td></tr>
<tr><td class="ink" style="padding:28px 28px 12px;font-size:15px;line-height:1.5;color:#1f2933">
<h1 style="margin:0 0 18px;font-size:21px;line-height:1.3">{title}</h1>
{body}
</td></tr>
<tr><td class="dim" style="padding:14px 28px 24px;font-size:12px;line-height:1.5;color:#5c6875;\
border-top:1px solid #e3e8ed">{footer}</td></tr>
</table></td></tr></table></body></html>
"""


def as_text(letter: Letter) -> str:
    """The letter in paragraphs of plain text; the figures in two columns."""
    parts = [letter.greeting, *map(_wrapped, letter.before), _columns(letter.figures)]
    if letter.pay_url:
        parts.append(f"{letter.pay_label}: {letter.pay_url}")
    parts += [*map(_wrapped, letter.after), f"{letter.closing}\n{letter.seller}"]
    footer = "\n".join(_wrapped(line) for line in letter.footer if line)
    return "\n\n".join(parts) + f"\n\n-- \n{footer}\n"


def as_html(letter: Letter) -> str:
    """The letter as one HTML page without anything to be loaded from elsewhere."""
    body = (
        _paragraph(letter, letter.greeting),
        *(_paragraph(letter, text) for text in letter.before),
        _table(letter.figures),
        _button(letter, letter.pay_url) if letter.pay_url else "",
        *(_paragraph(letter, text) for text in letter.after),
        _paragraph(letter, f"{letter.closing}\n{letter.seller}"),
    )
    return _PAGE.format(
        language=letter.language,
        subject=escape(letter.subject),
        title=escape(letter.title),
        seller=escape(letter.seller),
        accent=letter.accent,
        on_accent=_readable_on(letter.accent),
        body="\n".join(filter(None, body)),
        footer="<br>".join(escape(line) for line in letter.footer if line),
    )


def _wrapped(text: str) -> str:
    return "\n".join(wrap(text, TEXT_WIDTH, break_long_words=False, break_on_hyphens=False))


def _columns(figures: tuple[Figure, ...]) -> str:
    width = max(len(figure.label) for figure in figures) + 2
    return "\n".join(
        f"  {label:<{width}}{line}"
        for figure in figures
        for label, line in zip_longest((figure.label,), figure.value.split("\n"), fillvalue="")
    )


def _paragraph(letter: Letter, text: str) -> str:
    """`text` with the invoice number kept in one piece: clients break lines after its hyphens."""
    number = escape(letter.number)
    whole = f'<span style="white-space:nowrap">{number}</span>'
    return f'<p style="margin:0 0 14px">{_lines(text).replace(number, whole)}</p>'


def _table(figures: tuple[Figure, ...]) -> str:
    rows = "\n".join(
        f'<tr><td class="dim" valign="top" style="padding:4px 16px 4px 0;color:#5c6875">'
        f'{escape(figure.label)}</td><td valign="top" style="padding:4px 0;word-break:break-word;'
        f'{"font-weight:bold;font-size:17px" if figure.is_strong else ""}">'
        f"{_lines(figure.value)}</td></tr>"
        for figure in figures
    )
    return (
        '<table role="presentation" cellpadding="0" cellspacing="0" style="margin:6px 0 20px;'
        f'font-size:15px;line-height:1.4;border-collapse:collapse">\n{rows}\n</table>'
    )


def _button(letter: Letter, url: str) -> str:
    """A button, and below it the address that it leads to: to be seen, copied or typed."""
    colours = f"background:{letter.accent};color:{_readable_on(letter.accent)}"
    return (
        '<table role="presentation" cellpadding="0" cellspacing="0"><tr>'
        f'<td style="{colours};border-radius:4px;mso-padding-alt:11px 26px">'
        f'<a href="{escape(url)}" style="display:inline-block;{colours};padding:11px 26px;'
        f'border-radius:4px;text-decoration:none;font-weight:bold">{escape(letter.pay_label)}</a>'
        "</td></tr></table>\n"
        f'<p class="dim" style="margin:8px 0 22px;font-size:12px;color:#5c6875;'
        f'word-break:break-all">{escape(url)}</p>'
    )


def _lines(text: str) -> str:
    return escape(text).replace("\n", "<br>")


def _readable_on(colour: str) -> str:
    """Black or white, whichever stands out from `colour` (ITU-R BT.601 luma)."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    is_bright = red * 299 + green * 587 + blue * 114 > 150 * 1000
    return _DARK if is_bright else _LIGHT
