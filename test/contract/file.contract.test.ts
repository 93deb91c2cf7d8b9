import { existsSync, writeFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lines, type Mapper } from 'sluice';
import { fileSink, fileSource } from 'sluice/file';
import { conformance, type Features, type Harness } from 'sluice/testing';

const FOLLOWED: Features = {
  ack: 'manual',
  confirms: 'durable',
  flowControl: 'credit',
  headers: 'none',
  backlog: true,
  binary: true,
  byteCredit: true,
  ordered: true,
  persistent: true,
  durableSubscription: true,
  broadcast: true,
  cumulativeAck: true,
  nackRequeue: true,
  deadLetter: true,
  deliveryCount: true,
  maxMessageBytes: 700_000,
  fanOut: true,
};

/** Payloads of the cases are any bytes; a line of base64 holds them. */
const base64: Mapper<Uint8Array> = {
  name: 'base64',
  contentType: 'text/plain',
  encode: (value) => Buffer.from(Buffer.from(value).toString('base64')),
  decode: (line) => new Uint8Array(Buffer.from(Buffer.from(line).toString(), 'base64')),
};
const format = lines(base64);

/** Where Linux lists what the process has open. */
const OPEN_FILES = '/proc/self/fd';

/** Readers so far, each of which saved an offset at its start, and files that are open now. */
async function opened(folder: string): Promise<number> {
  const offsets = (await readdir(folder)).filter((name) => name.endsWith('.offset'));
  const names = existsSync(OPEN_FILES) ? await readdir(OPEN_FILES) : [];
  const targets = await Promise.all(names.map((name) => readlink(`${OPEN_FILES}/${name}`).catch(() => '')));
  return offsets.length + targets.filter((target) => target.startsWith(folder)).length;
}

function harness(name: string, follow: boolean, features: Features): Harness {
  return {
    name,
    features,
    clock: 'real',
    can: ['sink', 'peek.committed', 'peek.opened'],
    maxMessages: 200,
    withinMs: 45_000,
    async open() {
      const folder = await mkdtemp(join(tmpdir(), 'sluice-contract-'));
      let channels = 0;
      return {
        channel(hint = 'channel') {
          const path = join(folder, `${(channels += 1)} ${hint.replaceAll('/', '|')}`);
          writeFileSync(path, '');
          return path;
        },
        source: (channel, options) =>
          fileSource({
            ...options,
            path: channel,
            format,
            follow,
            offsets: `${channel}.offset`,
            commitIntervalMs: 2,
            requeueDelayMs: 1,
            pollMs: 20,
          }),
        sink: (channel, options) => fileSink({ ...options, path: channel, format }),
        peek: {
          opened: () => opened(folder),
          async committed(channel) {
            const saved = await readFile(`${channel}.offset`, 'utf8').catch(() => '{"line":1}');
            return (JSON.parse(saved) as { line: number }).line - 1;
          },
        },
        close: () => rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 }),
      };
    },
  };
}

conformance(harness('file, followed', true, FOLLOWED), { describe, it, expect });
conformance(harness('file, read to its end', false, { ...FOLLOWED, finite: true }), { describe, it, expect });
