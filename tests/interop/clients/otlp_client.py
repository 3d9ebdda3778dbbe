"""Sends through OpenTelemetry's OTLP exporter over HTTP: otlp_client.py URL KEY [COUNT].

With COUNT it sends so many numbered records, and writes the numbers of those that the exporter
says were taken.
"""

import logging
import sys
import time

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource

url, key = sys.argv[1:3]
count = int(sys.argv[3]) if len(sys.argv) > 3 else 0

exporter = OTLPLogExporter(
    endpoint=url,
    headers={"authorization": f"Bearer {key}"},
    compression=Compression.Gzip,
    # With COUNT it tries again by itself.
    timeout=5 if count else 60,
)
provider = LoggerProvider(
    resource=Resource.create({"service.name": "shop", "host.name": "till-3"})
)
logger = logging.getLogger("orders")
logger.setLevel(logging.DEBUG)
logger.addHandler(LoggingHandler(logger_provider=provider))
logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)

if not count:
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    logger.error("order %d failed", 7, extra={"order": 7, "items": ["a", "b"]})
    logger.warning("naïve — ünïcode\nin two lines")
    provider.shutdown()
    sys.exit()


class Told(SimpleLogRecordProcessor):
    """Says which records were taken."""

    def on_emit(self, log_record):
        while True:
            result = exporter.export([log_record])
            if result.name == "SUCCESS":
                print(log_record.log_record.body, flush=True)
                return
            time.sleep(0.05)


provider.add_log_record_processor(Told(exporter))
for number in range(count):
    logger.info("number %06d of otlp", number)
