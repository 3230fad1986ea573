// An HTTP server on Node: node --expose-gc http_node.js PLACE [CERT KEY]
// PLACE is a port on the loopback interface. /json is answered with an object, all else with a text.
// SIGUSR2, since Node's debugger owns SIGUSR1, collects garbage and says "freed" on stdout.
'use strict';
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');

const [port, cert, key] = process.argv.slice(2);
const greeting = 'Hello, World!';

function answer(request, response) {
  const json = request.url === '/json';
  const body = json ? JSON.stringify({ message: greeting }) + '\n' : greeting;
  response.writeHead(200, { 'Content-Type': json ? 'application/json' : 'text/plain', 'Content-Length': body.length });
  response.end(body);
}

const server = cert ? https.createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) }, answer) : http.createServer(answer);
server.keepAliveTimeout = 0; // an idle connection stays, as with the others
server.listen({ host: '127.0.0.1', port: Number(port), backlog: 4096 });

process.on('SIGUSR2', () => {
  global.gc();
  console.log('freed');
});
