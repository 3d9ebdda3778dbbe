"""Sends with a GELF library: its name, PORT, the listener, and over HTTP a KEY are its arguments."""

import logging
import random
import sys

library, port, listener = sys.argv[1], int(sys.argv[2]), sys.argv[3]
if library == "pygelf":
    import pygelf

    fields = {"include_extra_fields": True, "debug": True, "_shop": "naïve"}
    if listener == "gelf":
        handler = pygelf.GelfTcpHandler(host="127.0.0.1", port=port, **fields)
    elif listener == "web":
        handler = pygelf.GelfHttpHandler(host="127.0.0.1", port=port, _token=sys.argv[4], **fields)
    else:
        handler = pygelf.GelfUdpHandler(host="127.0.0.1", port=port, compress=True, **fields)
else:
    import graypy

    if listener == "gelf":
        handler = graypy.GELFTCPHandler("127.0.0.1", port)
    else:
        handler = graypy.GELFUDPHandler("127.0.0.1", port)
logger = logging.getLogger("orders")
logger.setLevel(logging.DEBUG)
logger.addHandler(handler)
extra = {"order": 7} if library == "pygelf" else {"order": 7, "shop": "naïve"}
logger.error(f"{library}: order 7 failed", extra=extra)
# Not so even that it could be compressed into one datagram.
noise = "".join(random.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(60_000))
logger.error(f"{library}: {noise} and the rest of it", extra=extra)
handler.close()
