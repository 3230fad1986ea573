// Times the operations of Node's loop: node loops.js SECONDS loop|microtasks
//
// The operations, and how they are timed, are those of the Go programs in the folders beside this file: an operation is done
// n times, n doubling from a thousand until it took SECONDS of CPU time; the last run counts.
//
// "loop" goes through the event loop, as asyncio does: setImmediate is its call_soon, setTimeout and clearTimeout its
// call_later and cancel, and a promise that setImmediate fulfils its sleep(0). "microtasks" is what JavaScript has beside
// it: queueMicrotask for call_soon and await of a value for sleep(0), which starve the event loop. An async function, the
// nearest thing to a task, begins at once when called. There are no calls from another thread.
'use strict';

const BATCH = 1000;

function nothing() {}

// inCallbacks calls act n times, in callbacks of a batch each; the next begins when what this one has scheduled has run.
function inCallbacks(soon, n, act) {
  return new Promise((resolve) => {
    function batch() {
      if (n === 0) {
        resolve();
        return;
      }
      for (let i = 0; i < BATCH; i++) act();
      n -= BATCH;
      soon(batch);
    }
    soon(batch);
  });
}

async function sleep(n) {
  for (let i = 0; i < n; i++) await new Promise(setImmediate);
}

async function awaitValue(n) {
  for (let i = 0; i < n; i++) await null;
}

async function one() {
  return 1;
}

async function spawn(n) {
  for (let i = 0; i < n; i++) await one();
}

async function gather(n) {
  for (; n > 0; n -= BATCH) await Promise.all(Array.from({ length: BATCH }, one));
}

const works = {
  loop: {
    call_soon: (n) => inCallbacks(setImmediate, n, () => setImmediate(nothing)),
    'call_later and cancel': (n) => inCallbacks(setImmediate, n, () => clearTimeout(setTimeout(nothing, 3600e3))),
    'sleep(0)': sleep,
  },
  microtasks: {
    call_soon: (n) => inCallbacks(queueMicrotask, n, () => queueMicrotask(nothing)),
    'sleep(0)': awaitValue,
    'create_task and await': spawn,
    'gather of 1,000, each': gather,
  },
};

// cpuTime is the CPU time of the process in nanoseconds.
function cpuTime() {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}

async function nsPerOperation(act, seconds) {
  for (let n = BATCH; ; n *= 2) {
    const begin = cpuTime();
    await act(n);
    const took = cpuTime() - begin;
    if (took >= seconds * 1e9) return took / n;
  }
}

async function main(seconds, kind) {
  const costs = {};
  for (const [name, act] of Object.entries(works[kind])) costs[name] = await nsPerOperation(act, seconds);
  console.log(JSON.stringify(costs));
}

main(Number(process.argv[2]), process.argv[3]);
