"""Invoices as PDF: what is printed, sent and kept."""

from services.invoicer.render.invoice import Rendered, render_invoice
from services.invoicer.render.logo import Logo, LogoUnreadable, prepare

__all__ = ["Logo", "LogoUnreadable", "Rendered", "prepare", "render_invoice"]
