"""Legal numbers, tax, due dates and documents: from a billable price to an issued invoice."""
