// Sends three events with fluent-logger, and waits until each is acknowledged: PORT MODE [CA].

'use strict';
const fs = require('fs');
const { createFluentSender } = require('fluent-logger');

const [port, eventMode, ca] = process.argv.slice(2);
const options = { host: '127.0.0.1', port: Number(port), eventMode, requireAckResponse: true,
  ackResponseTimeout: 20000, flushInterval: 10, milliseconds: true };
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
