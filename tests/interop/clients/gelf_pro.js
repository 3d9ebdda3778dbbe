// Sends with gelf-pro: PORT and the listener are its arguments.
const log = require('gelf-pro');

const [port, listener] = process.argv.slice(2);
log.setConfig({
  fields: { shop: 'naïve' },
  adapterName: listener === 'gelf' ? 'tcp' : 'udp',
  adapterOptions: { host: '127.0.0.1', port: Number(port) },
});
const letters = Array.from({ length: 60000 }, () =>
  String.fromCharCode(97 + Math.floor(Math.random() * 26)));
const fail = (error) => { if (error) { throw error; } };
log.error('gelf-pro: order 7 failed', { order: 7 }, (error) => {
  fail(error);
  log.error(`gelf-pro: ${letters.join('')} and the rest of it`, { order: 7 }, fail);
});
