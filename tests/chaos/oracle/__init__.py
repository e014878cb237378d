"""What the tables and topics must hold after the same input, said by a plain interpreter.

Single-threaded and in plain dicts: of the services it calls the pure rules (`domain`), of the
runtime nothing, no store and no SQL but to look at the result.
"""
