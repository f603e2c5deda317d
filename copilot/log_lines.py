"""One record, one line: text from outside cannot forge a log line or steer a terminal."""

import logging
import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class OneLineFormatter(logging.Formatter):
    """Escapes control characters, direction overrides and line breaks in the message; a traceback keeps its lines, indented."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        first, *rest = text.split("\n")
        return "\n".join([_escape(first), *("    " + _escape(line) for line in rest)])


def _escape(text: str) -> str:
    return _CONTROL.sub(lambda match: f"\\x{ord(match.group()):02x}", text)
