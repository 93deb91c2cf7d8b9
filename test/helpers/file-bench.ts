import { existsSync, mkdirSync, renameSync, rmdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lines, type Mapper } from 'sluice';
import { fileSink, fileSource } from 'sluice/file';
import type { Bench, Features, Harness } from 'sluice/testing';
import { clientProcesses } from './client-processes.js';
import { give } from './websocket.js';

const REQUEUE_DELAY_MS = 5;
/** What fits into the longest line of base64. */
const MAX_BYTES = 699_999;
const MAX_LINE_BYTES = (MAX_BYTES / 3) * 4;

const features: Features = {
  ack: 'manual',
  confirms: 'durable',
  flowControl: 'credit',
  headers: 'none',
  backlog: true,
  binary: true,
  byteCredit: true,
  ordered: true,
  orderOnRequeue: true,
  persistent: true,
  durableSubscription: true,
  broadcast: true,
  cumulativeAck: true,
  nackRequeue: true,
  nackDelay: REQUEUE_DELAY_MS,
  deadLetter: true,
  deliveryCount: true,
  maxMessageBytes: MAX_BYTES,
  fanOut: true,
  replay: true,
};

/** Payloads of the cases are any bytes; a line of base64 holds them. */
const base64: Mapper<Uint8Array> = {
  name: 'base64',
  contentType: 'text/plain',
  encode: (value) => Buffer.from(Buffer.from(value).toString('base64')),
  decode: (line) => new Uint8Array(Buffer.from(Buffer.from(line).toString(), 'base64')),
};
const format = lines(base64, { maxBytes: MAX_LINE_BYTES });

/** The same source in a process of its own. */
const clientSetup = (follow: boolean): string => `
import { lines } from 'sluice';
import { fileSource } from 'sluice/file';
const base64 = { name: 'base64', contentType: 'text/plain', encode: () => new Uint8Array(), decode: (line) => new Uint8Array(Buffer.from(Buffer.from(line).toString(), 'base64')) };
const format = lines(base64, { maxBytes: ${MAX_LINE_BYTES} });
const source = (path, options) =>
  fileSource({ ...options, path, format, follow: ${follow}, offsets: path + '.offset', commitIntervalMs: 2, pollMs: 20 });
`;

/** Where Linux lists what the process has open. */
const OPEN_FILES = '/proc/self/fd';

async function openIn(folder: string): Promise<number> {
  const names = existsSync(OPEN_FILES) ? await readdir(OPEN_FILES) : [];
  const targets = await Promise.all(names.map((name) => readlink(`${OPEN_FILES}/${name}`).catch(() => '')));
  return targets.filter((target) => target.startsWith(folder)).length;
}

/** Readers so far, each of which saved an offset at its start, and files that are open now. */
async function openedIn(folder: string): Promise<number> {
  const offsets = (await readdir(folder)).filter((name) => name.endsWith('.offset'));
  return offsets.length + (await openIn(folder));
}

async function open(follow: boolean): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-contract-'));
  const paths: string[] = [];
  const denied = new Set<string>();
  return {
    channel(hint = 'channel') {
      const path = join(folder, `${paths.length + 1} ${hint.replaceAll('/', '|')}`);
      writeFileSync(path, '');
      paths.push(path);
      return path;
    },
    source: (channel, { group, replay, ...options }) =>
      fileSource({
        ...options,
        path: channel,
        format,
        follow,
        ...(replay === true ? {} : { offsets: `${channel}${group ?? ''}.offset` }),
        commitIntervalMs: 2,
        requeueDelayMs: REQUEUE_DELAY_MS,
        pollMs: 20,
      }),
    sink: (channel, options) => fileSink({ ...options, path: channel, format }),
    auth: {
      // Permissions do not stop whoever runs the tests as root; a folder in the place of the file stops everybody.
      deny() {
        for (const path of paths) {
          renameSync(path, `${path}.kept`);
          mkdirSync(path);
          denied.add(path);
        }
      },
      grant() {
        for (const path of denied) {
          rmdirSync(path);
          renameSync(`${path}.kept`, path);
        }
        denied.clear();
      },
    },
    peek: {
      opened: () => openedIn(folder),
      open: () => openIn(folder),
      async committed(channel) {
        const saved = await readFile(`${channel}.offset`, 'utf8').catch(() => '{"line":1}');
        return (JSON.parse(saved) as { line: number }).line - 1;
      },
    },
    defaults: {
      async 'message limit'() {
        const [large, fits] = [new Uint8Array(1024 * 1024 + 1), new Uint8Array(64 * 1024)];
        const sink = fileSink<Uint8Array>({ path: join(folder, 'limit'), format: lines(base64) });
        const { outcomes } = give(sink, large, fits);
        while (outcomes.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
        sink.complete();
        if (outcomes.join() !== 'dead PAYLOAD_TOO_LARGE,ack') throw new Error(outcomes.join());
      },
      paths() {
        for (const path of ['../outside', '/etc/hostname']) {
          let refusal = '';
          try {
            fileSource({ path, root: folder }).subscribe();
          } catch (error) {
            refusal = (error as { readonly code: string }).code;
          }
          if (refusal !== 'FILE_OUTSIDE_ROOT') throw new Error(`${path} was not refused but ${refusal}`);
        }
      },
    },
    proc: clientProcesses(clientSetup(follow)),
    close: () => rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 }),
  };
}

function harness(name: string, follow: boolean): Harness {
  return {
    name,
    features: follow ? features : { ...features, finite: true },
    clock: 'real',
    can: [
      'sink',
      'defaults',
      'auth.deny',
      'auth.grant',
      'peek.committed',
      'peek.opened',
      'peek.open',
      'proc.crash',
      'proc.terminate',
      'proc.hold',
    ],
    // It is the same reader: what it holds does not depend on how it finds its end.
    ...(follow ? {} : { skips: { 'RES-01': 'the same reader as with following, see there' } }),
    maxMessages: 200,
    withinMs: 45_000,
    open: () => open(follow),
  };
}

/** Files that others still write to. */
export const fileFollowed: Harness = harness('file, followed', true);
/** Files that are read to their end. */
export const fileFinite: Harness = harness('file, read to its end', false);
