// Sends with winston-logstash, and stays until it is killed: PORT is its argument.

const winston = require('winston');
const Logstash = require('winston-logstash/lib/winston-logstash-latest');

const logger = winston.createLogger({
  format: winston.format.combine(winston.format.timestamp({ alias: '@timestamp' }), winston.format.json()),
  defaultMeta: { service: 'shop' },
  transports: [new Logstash({ host: '127.0.0.1', port: Number(process.argv[2]) })],
});

logger.error('order 7 failed', { order: 7, sum: { eur: 1.5 }, items: ['a', 'b'] });
logger.warn('naïve — ünïcode\nin two lines');
setInterval(() => {}, 1000);
