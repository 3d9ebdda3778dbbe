// Sends with pino and pino-socket: PORT and "tcp" or "udp" are its arguments.

const pino = require('pino');

const transport = pino.transport({
  target: 'pino-socket',
  options: { address: '127.0.0.1', port: Number(process.argv[2]), mode: process.argv[3] },
});
const logger = pino({
  base: { service: 'shop' },
  messageKey: 'message',
  timestamp: () => `,"@timestamp":"${new Date().toISOString()}"`,
}, transport);

logger.error({ order: 7, sum: { eur: 1.5 } }, 'order 7 failed');
logger.info('in\ntwo lines');
setInterval(() => {}, 1000);
