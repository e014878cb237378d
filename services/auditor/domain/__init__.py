"""The auditor's rules, pure: what must hold in the books, with arithmetic of their own."""
