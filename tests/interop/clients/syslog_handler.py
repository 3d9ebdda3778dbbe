"""Sends with the SysLogHandler of Python's logging: PORT and "udp" or "tcp", or the path of a unix
socket and "log" or "unix", are its arguments."""

import logging
import logging.handlers
import socket
import sys

datagrams = sys.argv[2] in ("udp", "log")
kind = socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM
address = sys.argv[1] if "/" in sys.argv[1] else ("127.0.0.1", int(sys.argv[1]))
handler = logging.handlers.SysLogHandler(
    address, facility="local0", socktype=kind
)
logger = logging.getLogger()
logger.addHandler(handler)
logger.error("from python")
logger.warning("two\nlines of warning")
logger.error("3 is no count <of octets>")
handler.close()
