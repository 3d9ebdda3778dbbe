"""Sends two events with fluent-logger: PORT KEY."""

import sys

from fluent import sender

port, key = int(sys.argv[1]), sys.argv[2]
for label, nanoseconds, message in [
    ("slow", False, "in seconds"),
    ("quick", True, "in nanoseconds"),
]:
    logger = sender.FluentSender(
        "shop", host="127.0.0.1", port=port, nanosecond_precision=nanoseconds
    )
    record = {
        "log": message,
        "level": "error",
        "order": {"id": 7, "items": ["a", "b"]},
        "token": key,
    }
    if not logger.emit(label, record):
        sys.exit(str(logger.last_error))
    logger.close()
