"""Sends windows with pylogbeat: PORT, how many windows and how many events of each are its arguments.

Says each number of a window once it was acknowledged, and ends well only if all were.
"""

import sys

from pylogbeat import PyLogBeatClient

port, windows, events = (int(argument) for argument in sys.argv[1:4])
client = PyLogBeatClient("127.0.0.1", port, timeout=30, ssl_enable=False)
with client:
    for window in range(windows):
        messages = []
        for event in range(events):
            messages.append(
                {
                    "@timestamp": "2026-11-20T12:00:00.000Z",
                    "@version": "1",
                    "message": f"w{window}n{event} by pylogbeat",
                    "host": {"name": "web-1"},
                    "extra": {"window": window},
                }
            )
        client.send(messages)
        print(window, flush=True)
