"""Sends numbered events with pylogbeat: PORT and COUNT are its arguments.

Each window is sent until it was acknowledged, on a new connection when one broke. Says then which
events those were.
"""

import datetime
import sys
import time

from pylogbeat import PyLogBeatClient

DAY = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)).date()

port, count = int(sys.argv[1]), int(sys.argv[2])
WINDOW = 10
client = None
for first in range(0, count, WINDOW):
    texts = [f"number {number:06d} of pylogbeat" for number in range(first, first + WINDOW)]
    events = [{"@timestamp": f"{DAY}T12:00:00.000Z", "message": text} for text in texts]
    while True:
        try:
            if client is None:
                client = PyLogBeatClient("127.0.0.1", port, timeout=120, ssl_enable=False)
                client.connect()
            client.send(events)
            break
        except Exception:
            if client is not None:
                client.close()
            client = None
            time.sleep(0.05)
    print("\n".join(texts), flush=True)
client.close()
