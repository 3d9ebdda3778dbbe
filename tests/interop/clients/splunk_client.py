"""Sends through splunk-handler: splunk_client.py PORT KEY [COUNT].

It is told when to send: what a timer sends depends on how fast the machine is, and a timer that
fires while a flush is under way loses what both of them take.
"""

import logging
import sys

from splunk_handler import SplunkHandler

port, key = sys.argv[1:3]
count = int(sys.argv[3]) if len(sys.argv) > 3 else 0



class Handler(SplunkHandler):
    """Behind each flush it would set its timer to a second."""

    alt_flush_interval = 3600.0


handler = Handler(
    host="127.0.0.1",
    port=port,
    token=key,
    index="main",
    hostname="till-3",
    source="shop",
    sourcetype="text",
    protocol="http",
    verify=False,
    flush_interval=3600.0,
    retry_count=20,
    retry_backoff=0.1,
)
logger = logging.getLogger("orders")
logger.setLevel(logging.DEBUG)
logger.addHandler(handler)

if count:
    for number in range(count):
        logger.info("number %06d of splunk", number)
        if number % 5 == 4:
            handler.force_flush()
else:
    logger.error("order %d failed", 7)
    logger.warning("naïve — ünïcode\nin two lines")
handler.force_flush()
logging.shutdown()
