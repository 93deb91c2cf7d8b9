import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bareServer } from '../helpers/websocket.js';

// What runs in the browser: the bundle of the entry, no package `ws` anywhere near, and the class that Node shares with
// browsers. It runs in a process of its own, against a real server.
const PROGRAM = `
import { memoryBroker, memorySource } from '${resolve('src/index.ts')}';
import { webSocket, webSocketLink, webSocketSource } from '${resolve('src/entries/websocket.ts')}';

const [, , url, refusedUrl] = process.argv;
const say = (...values) => console.log(JSON.stringify(values));

try {
  webSocketSource(webSocketLink({ url }));
} catch (error) {
  say('without overflow', error.code);
}
webSocketSource(webSocketLink({ url, client: 'ws' })).subscribe({ error: (error) => say('ws', error.code) });

const duplex = webSocket(webSocketLink({ url, protocols: ['feed.v1'] }), { source: { overflow: 'drop-oldest', credit: 4 } });
duplex.status$.subscribe((status) => say('status', status));
const held = [];
let cameLast = false;
// Nobody settles until everything came: a browser cannot be made to wait, so the oldest of the rest is dropped.
const settle = () => held.length === 4 && cameLast && held.forEach((one) => one.ack());
const subscription = duplex.channel({ open: 'subscribe', close: 'unsubscribe', match: { ch: 'quotes' } }).subscribe((message) => {
  say('quote', JSON.parse(message.payload).n, message.meta.protocol);
  held.push(message);
  if (held.length > 4) message.ack();
  else settle();
  if (held.length !== 8) return;
  subscription.unsubscribe();
  bytes.unsubscribe();
});
const bytes = duplex.source.subscribe((message) => {
  message.ack();
  if (!(message.payload instanceof Uint8Array)) return;
  say('bytes', [...message.payload]);
  cameLast = true;
  settle();
});
const broker = memoryBroker();
broker.publish({ topic: 'out', payload: 'hello' });
broker.publish({ topic: 'out', payload: new Uint8Array([7, 8]) });
memorySource(broker, { topic: 'out' }).subscribe({
  next(message) {
    duplex.sink.next(message);
    if (message.payload !== 'hello') duplex.sink.complete();
  },
});
`;

let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-browser-'));
  const entry = join(folder, 'program.mjs');
  writeFileSync(entry, PROGRAM);
  await build({
    entryPoints: [entry],
    bundle: true,
    platform: 'browser',
    format: 'esm',
    external: ['ws'],
    nodePaths: [resolve('node_modules')],
    outfile: join(folder, 'bundle.mjs'),
    logLevel: 'error',
  });
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function run(...values: readonly string[]): Promise<unknown[][]> {
  const flags = typeof WebSocket === 'undefined' ? ['--experimental-websocket', '--no-warnings'] : [];
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [...flags, join(folder, 'bundle.mjs'), ...values],
      { timeout: 50_000 },
      (error, out, err) => {
        if (error !== null) reject(new Error(`${error.message}\n${out}\n${err}`));
        else
          resolve(
            out
              .trim()
              .split('\n')
              .map((line) => JSON.parse(line) as unknown[]),
          );
      },
    );
  });
}

describe('in a browser, without any package installed (S0.1, S2.39, S2.40, S2.41)', () => {
  it('both directions, channels, overflow and the end work over the platform’s own class', async () => {
    await using server = await bareServer(
      (socket) => {
        socket.on('message', (data) => {
          if ((data as Buffer).toString() !== 'subscribe') return;
          for (let n = 0; n < 20; n += 1) socket.send(JSON.stringify({ ch: 'quotes', n }));
          socket.send(Buffer.from([1, 2, 3]));
        });
      },
      { protocol: 'feed.v1' },
    );
    const said = await run(server.url);
    const of = (kind: string): unknown[] => said.filter(([name]) => name === kind).map(([, value]) => value);
    expect(of('without overflow')).toEqual(['CONFIG_INVALID']);
    expect(of('ws')).toEqual(['PEER_MISSING']);
    expect(of('quote')).toEqual([0, 1, 2, 3, 16, 17, 18, 19]);
    expect(said.find(([name]) => name === 'quote')?.[2]).toBe('feed.v1');
    expect(of('bytes')).toEqual([[1, 2, 3]]);
    expect(of('status')).toEqual(['idle', 'connecting', 'connected', 'closing', 'closed']);
    expect(server.received[0]).toBe('subscribe');
    expect(server.received).toEqual(expect.arrayContaining(['hello', '\u0007\b', 'unsubscribe']));
  });
});
