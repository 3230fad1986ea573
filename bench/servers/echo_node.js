// Echo on Node's net: node --expose-gc echo_node.js PORT
// SIGUSR2, since Node's debugger owns SIGUSR1, collects garbage and says "freed" on stdout.
'use strict';
const net = require('node:net');

const server = net.createServer({ noDelay: true }, (socket) => {
  socket.on('data', (data) => {
    if (!socket.write(data)) socket.pause();
  });
  socket.on('drain', () => socket.resume());
  socket.on('error', () => socket.destroy());
});
server.listen({ host: '127.0.0.1', port: Number(process.argv[2]), backlog: 4096 });

process.on('SIGUSR2', () => {
  global.gc();
  console.log('freed');
});
