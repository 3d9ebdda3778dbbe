"""Sends windows with pylogbeat: PORT, how many windows and how many events of each are its arguments.

Says each number of a window once it was acknowledged, and ends well only if all were.
"""

import datetime
import sys

from pylogbeat import PyLogBeatClient

DAY = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)).date()

port, windows, events = (int(argument) for argument in sys.argv[1:4])
client = PyLogBeatClient("127.0.0.1", port, timeout=120, ssl_enable=False)
with client:
    for window in range(windows):
        messages = []
        for event in range(events):
            messages.append(
                {
                    "@timestamp": f"{DAY}T12:00:00.000Z",
                    "@version": "1",
                    "message": f"w{window}n{event} by pylogbeat",
                    "host": {"name": "web-1"},
                    "extra": {"window": window},
                }
            )
        client.send(messages)
        print(window, flush=True)
