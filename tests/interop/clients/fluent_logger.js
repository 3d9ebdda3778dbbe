// Sends three events with fluent-logger, and waits until each is acknowledged: PORT MODE [CA]. With a
// COUNT behind "-" it sends so many numbered ones, each until it is acknowledged, and writes those. It
// proves to know SHARED_KEY, where that is set.

'use strict';
const fs = require('fs');
const { createFluentSender } = require('fluent-logger');

const [port, eventMode, ca, count] = process.argv.slice(2);
const options = { host: '127.0.0.1', port: Number(port), eventMode, requireAckResponse: true,
  ackResponseTimeout: 20000, flushInterval: 10, milliseconds: true };
if (process.env.SHARED_KEY) {
  options.security = { clientHostname: 'till-3', sharedKey: process.env.SHARED_KEY };
}
if (count) {
  numbered(Number(count));
  return;
}
if (ca) {
  options.host = 'localhost';
  options.tls = true;
  options.tlsOptions = { ca: fs.readFileSync(ca), host: 'localhost' };
}
const logger = createFluentSender('shop', options);
let acknowledged = 0;
logger.on('error', (error) => {
  console.error(error);
  process.exit(1);
});
for (let n = 0; n < 3; n++) {
  logger.emit('web', { message: `${eventMode} number ${n}`, order: { id: n }, sum: 1.5 }, (error) => {
    if (error) {
      console.error(error);
      process.exit(1);
    }
    acknowledged += 1;
    if (acknowledged === 3) {
      console.log('3 acknowledged');
      process.exit(0);
    }
  });
}

async function numbered(count) {
  const connect = () => {
    const sender = createFluentSender('shop', { ...options, ackResponseTimeout: 2000, reconnectInterval: 100 });
    sender.on('error', () => {});
    return sender;
  };
  let sender = connect();
  for (let n = 0; n < count; n++) {
    const message = `number ${String(n).padStart(6, '0')} of fluent`;
    const attempt = () => new Promise((resolve) => {
      setTimeout(() => resolve(false), 3000).unref();
      sender.emit('web', { message }, (error) => resolve(!error));
    });
    while (!(await attempt())) {
      sender.end();
      await new Promise((resolve) => setTimeout(resolve, 100));
      sender = connect();
    }
    console.log(message);
  }
  process.exit(0);
}
