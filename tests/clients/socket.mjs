// Uses a server as an application with the npm client `graphql-ws` would: subscribes, pings, loses
// the connection, and resumes by cursor without gap or repeat.
//
//   node socket.mjs <settings as JSON>
//
// url, connectionParams
// subscription  a document with the variable $after; its root field has a cursor
// variables     its other variables
// after         the cursor to begin after
// field         the root field's response name
// mutation      a document that causes one event
// input         its variables; each "#" in a string is replaced by the number of the call
// key           a response name in the root field that differs from event to event
import assert from 'node:assert/strict';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const settings = JSON.parse(process.argv[2]);
const { url, connectionParams, subscription, field, key } = settings;
setTimeout(() => fail('nothing happened for 30 s'), 30_000).unref();

function fail(reason) {
  console.error(reason);
  process.exit(1);
}

function connect(options = {}) {
  return createClient({ url, connectionParams, webSocketImpl: WebSocket, ...options });
}

// Collects what a subscription is sent, and lets others wait for its length.
const seen = [];
let waiting = [];
function see(event) {
  seen.push(event);
  waiting = waiting.filter(({ length, resolve }) => seen.length < length || resolve());
}
function seenAll(length) {
  return new Promise((resolve) => {
    if (seen.length >= length) resolve();
    else waiting.push({ length, resolve });
  });
}

// A second client causes the events.
const writer = connect();
let calls = 0;
async function cause() {
  calls += 1;
  const variables = JSON.parse(JSON.stringify(settings.input).replaceAll('#', String(calls)));
  for await (const result of writer.iterate({ query: settings.mutation, variables })) {
    assert.equal(result.errors, undefined, JSON.stringify(result.errors));
  }
}

let socket;
let opened = 0;
let pongs = 0;
const reader = connect({
  keepAlive: 50,
  retryAttempts: 10,
  retryWait: async () => {},
  shouldRetry: () => true,
  on: {
    opened: (it) => {
      socket = it;
      opened += 1;
    },
    pong: () => (pongs += 1),
  },
});

// The client sends these variables again when it reconnects, so it resumes after what it has seen.
const variables = { ...settings.variables, after: settings.after };
const ended = new Promise((resolve) =>
  reader.subscribe(
    { query: subscription, variables },
    {
      next: (result) => {
        if (result.errors) fail(JSON.stringify(result.errors));
        const event = result.data[field];
        variables.after = event.cursor;
        see(event);
      },
      error: (error) => fail(JSON.stringify(error)),
      complete: resolve,
    },
  ),
);

// Events from before the subscription are replayed, because it names a cursor.
for (let at = 0; at < 3; at += 1) await cause();
await seenAll(3);
console.log('subscribed');

while (pongs === 0) await new Promise((resolve) => setTimeout(resolve, 10));
console.log('pinged');

for (let round = 1; round <= 3; round += 1) {
  const before = seen.length;
  socket.terminate();
  await cause();
  await cause();
  await seenAll(before + 2);
  await cause();
  await seenAll(before + 3);
  assert.ok(opened > round, 'it has connected again');
}
const keys = seen.map((event) => event[key]);
assert.equal(seen.length, 12);
assert.equal(calls, 12);
assert.equal(new Set(keys).size, 12, `an event came twice: ${keys}`);
assert.deepEqual(keys, [...keys].sort((a, b) => (a < b ? -1 : 1)), 'in order');
console.log('resumed');

// A subscription that is refused ends with its error.
await assert.rejects(
  async () => {
    for await (const _ of writer.iterate({ query: 'subscription { noSuchField }' }));
  },
  (errors) => Array.isArray(errors) && errors[0].extensions.code === 'BAD_USER_INPUT',
);

await reader.dispose();
await writer.dispose();
await ended;
console.log('all is well');
process.exit(0);
