// Sends numbered messages with gelf-pro over TCP, on and on: PORT is its argument.
const log = require('gelf-pro');

log.setConfig({
  adapterName: 'tcp',
  adapterOptions: { host: '127.0.0.1', port: Number(process.argv[2]) },
});
let number = 0;
setInterval(() => {
  // What could not be sent is lost: it says so here.
  log.info(`number ${String(number).padStart(6, '0')} of gelf-pro`, () => {});
  number += 1;
}, 10);
