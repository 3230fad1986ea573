// Servers on Node: node --expose-gc echo_node.js PLACE stream|datagram|file [FILE], or PLACE tls CERT KEY
// PLACE is a port on the loopback interface or, with a slash, the path of a Unix socket. stream, datagram and tls send back
// what comes; file answers every byte with FILE, which Node reads and writes, because it has no sendfile.
// SIGUSR2, since Node's debugger owns SIGUSR1, collects garbage and says "freed" on stdout.
'use strict';
const dgram = require('node:dgram');
const fs = require('node:fs');
const net = require('node:net');
const tls = require('node:tls');

const [place, api, file, key] = process.argv.slice(2);
const backlog = 4096;
const address = place.includes('/') ? { path: place, backlog } : { host: '127.0.0.1', port: Number(place), backlog };

function echo(socket) {
  socket.on('data', (data) => {
    if (!socket.write(data)) socket.pause();
  });
  socket.on('drain', () => socket.resume());
  socket.on('error', () => socket.destroy());
}

function answer(socket) {
  socket.on('data', () => fs.createReadStream(file, { highWaterMark: 256 * 1024 }).pipe(socket, { end: false }));
  socket.on('error', () => socket.destroy());
}

if (api === 'datagram') {
  const socket = dgram.createSocket('udp4');
  socket.on('message', (data, from) => socket.send(data, from.port, from.address));
  socket.on('error', () => {}); // a lost datagram
  socket.bind(address.port, address.host);
} else if (api === 'tls') {
  tls.createServer({ noDelay: true, cert: fs.readFileSync(file), key: fs.readFileSync(key) }, echo).listen(address);
} else {
  net.createServer({ noDelay: true }, api === 'file' ? answer : echo).listen(address);
}

process.on('SIGUSR2', () => {
  global.gc();
  console.log('freed');
});
