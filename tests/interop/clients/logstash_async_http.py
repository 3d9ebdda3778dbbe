"""Sends with python-logstash-async over HTTP: PORT and KEY are its arguments.

With a further COUNT and the FILE of a queue it sends so many numbered ones, and leaves it to its
worker what becomes of them; over Beats with a further word.
"""

import logging
import sys
import time

from logstash_async.constants import constants
from logstash_async.handler import AsynchronousLogstashHandler
from logstash_async.transport import BeatsTransport, HttpTransport

port, key = int(sys.argv[1]), sys.argv[2]
transport = HttpTransport(
    "127.0.0.1", port, timeout=60.0, ssl_enable=False, path="orders", username="user", password=key
)
if len(sys.argv) > 5:
    transport = BeatsTransport("127.0.0.1", port, False, False, None, None, None, None, timeout=60.0)
    constants.QUEUED_EVENTS_BEATS_BATCH_SIZE = 4
count, queue = (int(sys.argv[3]), sys.argv[4]) if len(sys.argv) > 3 else (0, None)
constants.QUEUE_CHECK_INTERVAL = 0.1
# All are in the queue before any is sent: so each batch but the last is full, however slow the machine.
constants.QUEUED_EVENTS_FLUSH_INTERVAL = 3600.0
constants.QUEUED_EVENTS_FLUSH_COUNT = max(count, 50)
constants.QUEUED_EVENTS_BATCH_SIZE = 10
handler = AsynchronousLogstashHandler("127.0.0.1", port, database_path=queue, transport=transport)
logger = logging.getLogger("orders")
logger.setLevel(logging.DEBUG)
logger.addHandler(handler)
if count:
    for number in range(count):
        logger.info("number %06d of logstash", number)
    constants.QUEUED_EVENTS_FLUSH_INTERVAL = 0.2
    while True:
        time.sleep(1)
logger.error("order %s failed", 7, extra={"order": 7})
logger.debug("naïve — ünïcode")
handler.flush()
handler.close()
