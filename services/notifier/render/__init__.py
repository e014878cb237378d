"""Mails: `wording` and `letter` say it, `layout` shows it, `mime` puts it on the wire."""
