"""Sends with the SysLogHandler of Python's logging: PORT and "udp" or "tcp" are its arguments."""

import logging
import logging.handlers
import socket
import sys

kind = {"udp": socket.SOCK_DGRAM, "tcp": socket.SOCK_STREAM}[sys.argv[2]]
handler = logging.handlers.SysLogHandler(
    ("127.0.0.1", int(sys.argv[1])), facility="local0", socktype=kind
)
logger = logging.getLogger()
logger.addHandler(handler)
logger.error("from python")
logger.warning("two\nlines of warning")
logger.error("3 is no count <of octets>")
handler.close()
