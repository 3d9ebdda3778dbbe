"""Sends two events with fluent-logger: PORT KEY.

With a further COUNT it sends so many numbered ones in three parts, with STEPS.1 and STEPS.2 as the
signs to go on.
"""

import os
import sys
import time

from fluent import sender

port, key = int(sys.argv[1]), sys.argv[2]
if len(sys.argv) > 3:
    count, steps = int(sys.argv[3]), sys.argv[4]
    logger = sender.FluentSender("shop", host="127.0.0.1", port=port)
    for number in range(count):
        part = 3 * number // count
        while part and not os.path.exists(f"{steps}.{part}"):
            if part == 2:
                print("second", flush=True)
            time.sleep(0.02)
        logger.emit("web", {"message": f"number {number:06d} of fluent"})
    while logger.pendings:
        logger.emit_with_time("end", int(time.time()), {"message": "the end"})
        time.sleep(0.1)
    sys.exit()

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
