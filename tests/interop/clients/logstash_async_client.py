"""Sends with python-logstash-async: PORT and "Tcp" or "Udp" are its arguments."""

import logging
import sys

from logstash_async.constants import constants
from logstash_async.handler import AsynchronousLogstashHandler

constants.SOCKET_TIMEOUT = 60.0
handler = AsynchronousLogstashHandler(
    "127.0.0.1",
    int(sys.argv[1]),
    database_path=None,
    transport=f"logstash_async.transport.{sys.argv[2]}Transport",
)
logger = logging.getLogger("orders")
logger.setLevel(logging.DEBUG)
logger.addHandler(handler)
logger.error("order %s failed", 7, extra={"order": 7, "items": ["a", "b"], "sum": {"eur": 1.50}})
logger.debug("naïve — ünïcode")
handler.flush()
handler.close()
