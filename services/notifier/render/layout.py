"""A letter as plain text and as simple HTML: tables and inline styles, which is what mail shows."""

from html import escape
from textwrap import wrap
from typing import Final

from services.notifier.render.letter import Figure, Letter

TEXT_WIDTH: Final = 76
_DARK: Final = "#1f2933"
_LIGHT: Final = "#ffffff"
_PAGE: Final = """\
<!DOCTYPE html>
<html lang="{language}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>{subject}</title></head>
<body style="margin:0;background:#eef1f4;color:#1f2933;font-family:Helvetica,Arial,sans-serif">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0">
<tr><td align="center" style="padding:24px 8px">
<table role="presentation" width="600" cellpadding="0" cellspacing="0"
 style="max-width:600px;width:100%;background:#ffffff;border-radius:6px">
<tr><td style="background:{accent};color:{on_accent};padding:18px 32px;font-size:17px;\
border-radius:6px 6px 0 0">{seller}</td></tr>
<tr><td style="padding:28px 32px 12px;font-size:15px;line-height:1.5">
<h1 style="margin:0 0 18px;font-size:21px">{title}</h1>
{body}
</td></tr>
<tr><td style="padding:14px 32px 24px;font-size:12px;line-height:1.5;color:#6b7785;\
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
        _paragraph(letter.greeting),
        *map(_paragraph, letter.before),
        _table(letter.figures),
        _button(letter) if letter.pay_url else "",
        *map(_paragraph, letter.after),
        _paragraph(f"{letter.closing}\n{letter.seller}"),
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
    return "\n".join(f"  {figure.label:<{width}}{figure.value}" for figure in figures)


def _paragraph(text: str) -> str:
    return f'<p style="margin:0 0 14px">{escape(text).replace(chr(10), "<br>")}</p>'


def _table(figures: tuple[Figure, ...]) -> str:
    rows = "\n".join(
        f'<tr><td style="padding:5px 16px 5px 0;color:#6b7785;white-space:nowrap">'
        f'{escape(figure.label)}</td><td style="padding:5px 0;'
        f'{"font-weight:bold;font-size:17px" if figure.is_strong else ""}">'
        f"{escape(figure.value)}</td></tr>"
        for figure in figures
    )
    return (
        '<table cellpadding="0" cellspacing="0" style="margin:6px 0 20px;font-size:15px;'
        f'border-collapse:collapse">\n{rows}\n</table>'
    )


def _button(letter: Letter) -> str:
    return (
        f'<p style="margin:0 0 22px"><a href="{escape(letter.pay_url or "")}"'
        f' style="display:inline-block;background:{letter.accent};'
        f"color:{_readable_on(letter.accent)};padding:11px 26px;border-radius:4px;"
        f'text-decoration:none;font-weight:bold">{escape(letter.pay_label)}</a></p>'
    )


def _readable_on(colour: str) -> str:
    """Black or white, whichever stands out from `colour` (ITU-R BT.601 luma)."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    is_bright = red * 299 + green * 587 + blue * 114 > 150 * 1000
    return _DARK if is_bright else _LIGHT
