import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const LINKS = {
  amqplib: `amqpLink({ url: 'amqp://localhost' }).writing`,
  kafkajs: `kafkaLink({ brokers: ['localhost:9092'] })`,
  '@platformatic/kafka': `kafkaLink({ brokers: ['localhost:9092'], driver: '@platformatic/kafka' })`,
  mqtt: `mqttLink({ url: 'mqtt://localhost' }).writing`,
  ws: `webSocketLink({ url: 'ws://localhost', client: 'ws' })`,
};

const entry = (name: string): string => JSON.stringify(resolve(`src/entries/${name}.ts`));
const PROGRAM = `
import { amqpLink } from ${entry('amqp')};
import { kafkaLink } from ${entry('kafka')};
import { mqttLink } from ${entry('mqtt')};
import { webSocketLink } from ${entry('websocket')};

const links = { ${Object.entries(LINKS)
  .map(([peer, link]) => `'${peer}': ${link}`)
  .join(', ')} };
for (const [peer, link] of Object.entries(links))
  link.use({ down() {}, fatal: ({ code, message }) => console.log(JSON.stringify([peer, { code, message }])) });
`;

// Away from every node_modules: what a user has who installed no client.
let folder = '';
let ends: Readonly<Record<string, { readonly code: string; readonly message: string }>> = {};
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-peers-'));
  const outfile = join(folder, 'program.mjs');
  await build({
    stdin: { contents: PROGRAM, resolveDir: resolve('.') },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: Object.keys(LINKS),
    logLevel: 'error',
  });
  const { stdout } = await promisify(execFile)(process.execPath, [outfile], { timeout: 50_000 });
  ends = Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as [string, { code: string; message: string }]),
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a link without its client', () => {
  it.each(Object.keys(LINKS))('ends, and says how to install %s', (peer) => {
    expect(ends[peer]).toMatchObject({
      code: 'PEER_MISSING',
      message: expect.stringContaining(`npm install "${peer}@`) as unknown,
    });
  });
});
