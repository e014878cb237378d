"""What the invoicer does with events, with the clock, and with documents to render."""
