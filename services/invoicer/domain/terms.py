"""How an invoice is paid: reference and payment link."""

import hmac
import re
from hashlib import sha256
from typing import Final

from stdnum.iso7064 import mod_97_10

_BODY_MAX: Final = 21
_TOKEN_BYTES: Final = 16


def payment_reference(invoice_number: str) -> str:
    """The structured creditor reference (ISO 11649) of an invoice: RF, check digits, its number.

    Raises `ValueError` for a number with more than 21 letters and digits.
    """
    body = re.sub(r"[^A-Z0-9]", "", invoice_number.upper())
    if not 0 < len(body) <= _BODY_MAX:
        msg = f"no ISO 11649 reference can be made of {invoice_number!r}"
        raise ValueError(msg)
    return f"RF{mod_97_10.calc_check_digits(body + 'RF')}{body}"


def payment_url(base_url: str, key: bytes, invoice_id: str) -> str:
    """The payment link: nobody can make one up who does not know `key`.

    The last part is HMAC-SHA256 of the invoice id, cut to 128 bits, in hex. Whether the invoice
    is still payable is its state's matter, not the link's.
    """
    token = hmac.new(key, invoice_id.encode(), sha256).digest()[:_TOKEN_BYTES].hex()
    return f"{base_url.rstrip('/')}/{invoice_id}/{token}"
