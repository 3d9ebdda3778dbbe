"""Sends numbered messages with a GELF library over TCP, on and on: its name and PORT are its
arguments."""

import itertools
import logging
import sys
import time

library, port = sys.argv[1], int(sys.argv[2])
logging.raiseExceptions = False
if library == "pygelf":
    import pygelf

    handler = pygelf.GelfTcpHandler(host="127.0.0.1", port=port)
else:
    import graypy

    handler = graypy.GELFTCPHandler("127.0.0.1", port)
logger = logging.getLogger("orders")
logger.setLevel(logging.DEBUG)
logger.addHandler(handler)
for number in itertools.count():
    logger.info("number %06d of %s", number, library)
    time.sleep(0.01)
