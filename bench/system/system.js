// Starts children and reads files in Node: node system.js SECONDS
//
// Each work is done n times, n doubling until it took SECONDS of CPU time of this process; the last run counts.
'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const CHILDREN = 10;
const READERS = 10;

function child(command, args, stdout, onData) {
  return new Promise((resolve, reject) => {
    const c = spawn(command, args, { stdio: ['ignore', stdout, 'inherit'] });
    if (onData) c.stdout.on('data', onData);
    c.on('error', reject);
    c.on('close', (code) => (code === 0 ? resolve() : reject(new Error('the child has failed'))));
  });
}

async function one(n) {
  for (let i = 0; i < n; i++) await child('/bin/true', [], 'ignore');
}

async function ten(n) {
  for (; n > 0; n -= CHILDREN) await Promise.all(Array.from({ length: CHILDREN }, () => one(1)));
}

// output reads n pieces that a child writes.
async function output(n) {
  let size = 0;
  await child('head', ['-c', String(n * 65536), '/dev/zero'], 'pipe', (data) => {
    size += data.length;
  });
  if (size !== n * 65536) throw new Error('the child has failed');
}

async function read(name, n) {
  const reader = async () => {
    for (let i = 0; i < n / READERS; i++) await fs.promises.readFile(name);
  };
  await Promise.all(Array.from({ length: READERS }, reader));
}

// cpuTime is the CPU time of the process in nanoseconds.
function cpuTime() {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}

async function nsPerOperation(act, seconds, n) {
  for (; ; n *= 2) {
    const begin = cpuTime();
    await act(n);
    const took = cpuTime() - begin;
    if (took >= seconds * 1e9) return took / n;
  }
}

async function main(seconds) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'system-'));
  const [small, large] = [path.join(folder, 'small'), path.join(folder, 'large')];
  fs.writeFileSync(small, Buffer.alloc(4 << 10));
  fs.writeFileSync(large, Buffer.alloc(1 << 20));
  const works = {
    'a child': [20, one],
    'a child of ten at once': [20, ten],
    '64 KiB from a child': [100, output],
    'a file of 4 KiB': [100, (n) => read(small, n)],
    'a file of 1 MiB': [100, (n) => read(large, n)],
  };
  const costs = {};
  for (const [name, [n, act]] of Object.entries(works)) costs[name] = await nsPerOperation(act, seconds, n);
  fs.rmSync(folder, { recursive: true });
  console.log(JSON.stringify(costs));
}

main(Number(process.argv[2]));
