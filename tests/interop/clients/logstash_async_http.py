"""Sends with python-logstash-async over HTTP: PORT and KEY are its arguments."""

import logging
import sys

from logstash_async.handler import AsynchronousLogstashHandler
from logstash_async.transport import HttpTransport

port, key = int(sys.argv[1]), sys.argv[2]
transport = HttpTransport(
    "127.0.0.1", port, timeout=5.0, ssl_enable=False, path="orders", username="user", password=key
)
handler = AsynchronousLogstashHandler("127.0.0.1", port, database_path=None, transport=transport)
logger = logging.getLogger("orders")
logger.setLevel(logging.DEBUG)
logger.addHandler(handler)
logger.error("order %s failed", 7, extra={"order": 7})
logger.debug("naïve — ünïcode")
handler.flush()
handler.close()
