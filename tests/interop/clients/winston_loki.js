// Sends through winston-loki: winston_loki.js URL KEY json|protobuf [COUNT]. With COUNT it sends so
// many numbered messages, ten in a batch, and leaves it to winston-loki what becomes of them.

const winston = require('winston');
const LokiTransport = require('winston-loki');

const [url, key, form, count] = process.argv.slice(2);

const loki = new LokiTransport({
  host: url,
  basicAuth: `shop:${key}`,
  labels: { app: 'shop', form },
  format: winston.format.printf(({ message }) => message),
  json: form === 'json',
  interval: count ? 0.1 : 1,
  replaceTimestamp: false,
  onConnectionError: (error) => console.error(error),
});
const logger = winston.createLogger({
  level: 'debug',
  transports: [loki],
});

if (count) {
  numbered(Number(count));
  return;
}
logger.error({ message: `order 7 failed as ${form}`, labels: { region: 'eu' } });
logger.warn(`naïve — ünïcode\nin two lines as ${form}`);
loki.flush().then(() => process.exit());

async function numbered (count) {
  // After an error it would wait for a minute.
  loki.batcher.circuitBreakerInterval = 500;
  for (let number = 0; number < count; number++) {
    logger.info(`number ${String(number).padStart(6, '0')} of loki`);
    // What is sent has a size that does not depend on how fast the machine is.
    if (number % 10 === 9) await loki.flush();
  }
}
