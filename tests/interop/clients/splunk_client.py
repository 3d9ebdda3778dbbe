"""Sends through splunk-handler: splunk_client.py PORT KEY [COUNT]."""

import logging
import sys
import time

from splunk_handler import SplunkHandler

port, key = sys.argv[1:3]
count = int(sys.argv[3]) if len(sys.argv) > 3 else 0

handler = SplunkHandler(
    host="127.0.0.1",
    port=port,
    token=key,
    index="main",
    hostname="till-3",
    source="shop",
    sourcetype="text",
    protocol="http",
    verify=False,
    flush_interval=0.2,
    retry_count=20,
    retry_backoff=0.1,
)
logger = logging.getLogger("orders")
logger.setLevel(logging.DEBUG)
logger.addHandler(handler)

if count:
    for number in range(count):
        logger.info("number %06d of splunk", number)
        time.sleep(0.01)
else:
    logger.error("order %d failed", 7)
    logger.warning("naïve — ünïcode\nin two lines")
handler.force_flush()
logging.shutdown()
