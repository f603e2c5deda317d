"""Covers a text for a language model and for everything that rests on it: secrets for good, personal data by tokens."""

from copilot.privacy import encoded
from copilot.privacy.pseudonyms import Pseudonyms
from incidents.intake.masking import mask


def cover(text: str, pseudonyms: Pseudonyms) -> str:
    """Return the text without secrets, encoded ones included, and with tokens for personal data. Doing it again changes nothing.

    Raises HidingFailed.
    """
    return pseudonyms.hide(encoded.mask(text, mask_plain=mask))
