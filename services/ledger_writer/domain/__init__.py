"""The rules of the books: pure values in, pure values out, no I/O and no clock."""
