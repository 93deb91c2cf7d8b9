import { execFileSync } from 'node:child_process';
import {
  chmod,
  link,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  stat,
  symlink,
  truncate,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import process from 'node:process';
import { BehaviorSubject, tap, take } from 'rxjs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  backoff,
  bytes,
  deadLetter,
  HEADERS,
  json,
  lines,
  ndjson,
  observe,
  run,
  SluiceError,
  systemClock,
  type Clock,
  type Flow,
  type Message,
  type Sink,
  type SluiceEvent,
} from 'sluice';
import { csv } from 'sluice/csv';
import { fileOffsets, fileSink, fileSource, type FileMeta, type FileOffset, type OffsetStore } from 'sluice/file';
import type { Splitter, SplitStart } from '../../src/mappers/codec.js';
import { withScope } from '../../src/connection/scope.js';
import { acked, consume, texts } from '../helpers/consume.js';
import { recorder } from '../helpers/message.js';
import { temporaryFolder } from '../helpers/folder.js';

const meta = (message: Message<unknown>): FileMeta => message.meta as FileMeta;
const numbers = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, at) => String(from + at));
const linesOf = (values: readonly string[]): string => values.map((value) => `${value}\n`).join('');
const fast = { pollMs: 10, requeueDelayMs: 1, commitIntervalMs: 5, reconnect: backoff({ initialMs: 1 }) };

type Read = (this: unknown, ...args: unknown[]) => Promise<{ bytesRead: number }>;

/** The class of every file handle, to stand between a reader and its disk. */
async function handles(): Promise<{ read: Read }> {
  const handle = await open('/dev/null');
  const found = Object.getPrototypeOf(handle) as { read: Read };
  await handle.close();
  return found;
}

/** What this process has open of the file with that name and those whose names begin with it. */
async function openOf(path: string): Promise<string[]> {
  const all = await readdir('/proc/self/fd');
  const targets = await Promise.all(all.map((at) => readlink(`/proc/self/fd/${at}`).catch(() => '')));
  return targets.filter((target) => target.startsWith(path));
}

interface Events {
  readonly moved: () => string[];
  readonly failed: () => string[];
  stop(): void;
}

function events(): Events {
  const seen: SluiceEvent[] = [];
  const stop = observe((event) => void seen.push(event));
  return {
    moved: () => seen.flatMap((event) => (event.type === 'source.moved' ? [event.cause] : [])),
    failed: () =>
      seen.flatMap((event) => (event.type === 'stage.failed' ? [`${event.stage}: ${code(event.reason)}`] : [])),
    stop,
  };
}

function code(error: unknown): string {
  return error instanceof SluiceError ? error.code : String(error);
}

function failure(flow: Flow<unknown>): Promise<string> {
  return acked(flow).then(
    () => 'completed',
    (error: unknown) => code(error),
  );
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('fileSource', () => {
  it('emits the bytes of each line with its place, and completes at the end (S2.47, SRC-04)', async () => {
    await using folder = await temporaryFolder();
    const path = await folder.write('a.txt', 'one\n\nthré\r\nlast');
    const messages = await acked(fileSource({ path, credit: 1 }));
    expect(texts(messages)).toEqual(['one', '', 'thré', 'last']);
    expect(messages.map(meta)).toEqual([
      { path, line: 1, offset: 0, bytes: 4 },
      { path, line: 2, offset: 4, bytes: 1 },
      { path, line: 3, offset: 5, bytes: 7 },
      { path, line: 4, offset: 12, bytes: 4 },
    ]);
    expect(messages[0]).toMatchObject({ topic: path, attempt: 1 });
  });

  it('leaves out a byte-order mark once, and only at the start (B03)', async () => {
    await using folder = await temporaryFolder();
    const path = await folder.write('a.txt', '\ufeffa\n\ufeffb\n');
    const messages = await acked(fileSource({ path }));
    expect(texts(messages)).toEqual(['a', '\ufeffb']);
    expect(messages.map((message) => meta(message).offset)).toEqual([3, 5]);
  });

  it('completes at once on an empty file, and on one that is done', async () => {
    await using folder = await temporaryFolder();
    const path = await folder.write('a.txt', '');
    const offsets = folder.of('offset');
    expect(await acked(fileSource({ path, offsets }))).toEqual([]);
    await folder.write('a.txt', 'a\nb');
    expect(texts(await acked(fileSource({ path, offsets })))).toEqual(['a', 'b']);
    expect(await acked(fileSource({ path, offsets }))).toEqual([]);
    await folder.append('a.txt', '\nc\n');
    expect(texts(await acked(fileSource({ path, offsets })))).toEqual(['', 'c']);
  });

  it('emits values of a format, as typed (S2.12)', async () => {
    await using folder = await temporaryFolder();
    const path = await folder.write('a.ndjson', '{"n":1}\n{"n":2}\n');
    const messages = await acked(fileSource({ path, topic: 'counts', format: ndjson<{ n: number }>() }));
    const sum: number = messages.reduce((total, { payload }) => total + payload.n, 0);
    expect(sum).toBe(3);
    expect(messages[1]).toMatchObject({ topic: 'counts', meta: { line: 2, offset: 8, bytes: 8 } });
  });

  it('emits whole chunks as `bytes`, whatever is in them', async () => {
    await using folder = await temporaryFolder();
    const content = Uint8Array.from({ length: 2500 }, (_, at) => at & 0xff);
    const path = await folder.write('a.bin', content);
    const messages = await acked(fileSource({ path, format: 'bytes', chunkBytes: 1024 }));
    expect(messages.map((message) => meta(message))).toEqual([
      { path, line: 1, offset: 0, bytes: 1024 },
      { path, line: 1, offset: 1024, bytes: 1024 },
      { path, line: 1, offset: 2048, bytes: 452 },
    ]);
    expect(Buffer.concat(messages.map(({ payload }) => payload)).equals(content)).toBe(true);
  });

  it('gives the same records wherever a chunk ends', async () => {
    await using folder = await temporaryFolder();
    const tail = ['é€😀', 'crlf\r', '', '\ufeff', 'x'.repeat(1500), 'end'];
    for (let pad = 0; pad < 60; pad += 1) {
      const first = 'p'.repeat(1024 - 30 + pad);
      const path = await folder.write('a.txt', [first, ...tail].join('\n'));
      const messages = await acked(fileSource({ path, chunkBytes: 1024 }));
      expect(texts(messages)).toEqual([first, 'é€😀', 'crlf', ...tail.slice(2)]);
      const ends = messages.map((message) => meta(message).offset + meta(message).bytes);
      expect(ends.slice(0, -1)).toEqual(messages.slice(1).map((message) => meta(message).offset));
      expect(ends.at(-1)).toBe((await stat(path)).size);
    }
  });

  it('never emits more than its credit, and reads no chunk it has no credit for (CRD-01, F6)', async () => {
    await using folder = await temporaryFolder();
    const path = await folder.write('a.txt', linesOf(numbers(100_000, 110_000)));
    const read = vi.spyOn(await handles(), 'read');
    const consumer = consume(fileSource({ path, credit: 4, chunkBytes: 1024 }), () => undefined);
    await vi.waitFor(() => expect(consumer.messages).toHaveLength(4));
    // One read for what tells the file from others, one chunk.
    const before = read.mock.calls.length;
    consumer.messages[2]!.ack();
    await vi.waitFor(() => expect(consumer.messages).toHaveLength(5));
    expect(read.mock.calls).toHaveLength(before);
    consumer.unsubscribe();
    for (const message of consumer.messages) message.ack();
  });

  it('copies payloads once many chunks are held, so that one slow message pins no other memory', async () => {
    await using folder = await temporaryFolder();
    const path = await folder.write('a.txt', `${'x'.repeat(1023)}\n`.repeat(12 * 1024));
    const kept: Uint8Array[] = [];
    let slow: Message<Uint8Array> | undefined;
    const consumer = consume(fileSource({ path, credit: 3, chunkBytes: 65_536, commitEvery: 100_000 }), (message) => {
      kept.push(message.payload);
      if (slow === undefined) slow = message;
      else message.ack();
    });
    await vi.waitFor(() => expect(consumer.messages).toHaveLength(12 * 1024));
    expect(kept[100]!.buffer.byteLength).toBe(65_536);
    expect(kept.at(-1)!.buffer.byteLength).toBe(1023);
    slow!.ack();
    await vi.waitFor(() => expect(consumer.completed).toBe(true));
  });

  describe('settling', () => {
    it('saves an offset that never passes an unsettled record, and goes on there (SHU-01, SHU-03)', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.txt', linesOf(numbers(0, 20)));
      const offsets = folder.of('offset');
      const first = consume(
        fileSource({ path, offsets, credit: 10, commitEvery: 2, commitIntervalMs: 1 }),
        (message) => {
          if (meta(message).line !== 4) message.ack();
        },
      );
      await vi.waitFor(async () => expect((await fileOffsets(offsets).load())?.line).toBe(4));
      first.unsubscribe();
      const second = await acked(fileSource({ path, offsets }));
      expect(texts(second)).toEqual(numbers(3, 20));
      expect(second.map((message) => meta(message).line)).toEqual(numbers(4, 21).map(Number));
      expect(await acked(fileSource({ path, offsets }))).toEqual([]);
    });

    it('counts lines through records of several lines', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.txt', 'a|\nb\nc|\nd\n');
      const pairs = { name: 'pairs', needsHead: false, splitter: pairSplitter };
      const offsets = folder.of('offset');
      const first = consume(fileSource({ path, format: pairs, offsets, credit: 1, commitIntervalMs: 1 }), (message) => {
        if (message.payload === 'a|\nb') message.ack();
      });
      await vi.waitFor(async () => expect((await fileOffsets(offsets).load())?.line).toBe(3));
      first.unsubscribe();
      expect((await acked(fileSource({ path, format: pairs, offsets }))).map(meta)).toEqual([
        { path, line: 3, offset: 5, bytes: 5 },
      ]);
      await folder.append('a.txt', 'e|\nf\n');
      expect((await acked(fileSource({ path, format: pairs, offsets }))).map(meta)).toEqual([
        { path, line: 5, offset: 10, bytes: 5 },
      ]);
    });

    it('delivers a requeued record again in its place, later and with the next attempt (ACK)', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.txt', linesOf(['a', 'b', 'c', 'd']));
      const seen: string[] = [];
      const consumer = consume(fileSource({ path, credit: 1, requeueDelayMs: 20 }), (message) => {
        seen.push(`${texts([message])[0]!}${message.attempt}`);
        if (meta(message).line === 2 && message.attempt < 3) message.nack(new Error('later'));
        else message.ack();
      });
      await vi.waitFor(() => expect(consumer.completed).toBe(true));
      expect(seen).toEqual(['a1', 'b1', 'b2', 'b3', 'c1', 'd1']);
      expect(meta(consumer.messages[2]!)).toEqual(meta(consumer.messages[1]!));
    });

    it('delivers a requeued record again also after the end of the file was read', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.txt', 'a\nb');
      const offsets = folder.of('offset');
      const consumer = consume(fileSource({ path, offsets, requeueDelayMs: 20 }), () => undefined);
      await vi.waitFor(() => expect(consumer.messages).toHaveLength(2));
      consumer.messages[0]!.nack(new Error('later'));
      consumer.messages[1]!.ack();
      await vi.waitFor(() => expect(consumer.messages).toHaveLength(3));
      expect(consumer.completed).toBe(false);
      consumer.messages[2]!.ack();
      await vi.waitFor(() => expect(consumer.completed).toBe(true));
      expect(await acked(fileSource({ path, offsets }))).toEqual([]);
    });

    it('does not end without credit while a requeued record waits, and delivers it once there is some', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.txt', 'a');
      const credit = new BehaviorSubject(1);
      let isDue = false;
      const timer: Clock['timer'] = (delayMs, work, background) =>
        systemClock.timer(
          delayMs,
          () => {
            work();
            isDue ||= delayMs === 7;
          },
          background,
        );
      const clock = { ...systemClock, elapsed: () => 0, timer };
      const options = { path, credit, requeueDelayMs: 7, clock };
      const consumer = consume(fileSource(options), (message) => message.attempt > 1 && message.ack());
      await vi.waitFor(() => expect(consumer.messages).toHaveLength(1));
      credit.next(0);
      consumer.messages[0]!.nack(new Error('later'));
      await vi.waitFor(() => expect(isDue).toBe(true));
      expect(consumer.completed).toBe(false);
      clock.elapsed = () => 7;
      credit.next(1);
      await vi.waitFor(() => expect(consumer.completed).toBe(true));
      expect(consumer.messages.map(({ attempt }) => attempt)).toEqual([1, 2]);
    });

    it('reads nothing without credit while it has records at hand, and gives them later', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.txt', 'a\nb\nc\n');
      const credit = new BehaviorSubject(1);
      const consumer = consume(fileSource({ path, credit }), () => undefined);
      await vi.waitFor(() => expect(consumer.messages).toHaveLength(1));
      const read = vi.spyOn(await handles(), 'read');
      credit.next(0);
      consumer.messages[0]!.ack();
      await new Promise(setImmediate);
      await new Promise(setImmediate);
      expect(read).not.toHaveBeenCalled();
      credit.next(2);
      await vi.waitFor(() => expect(texts(consumer.messages)).toEqual(['a', 'b', 'c']));
      consumer.unsubscribe();
    });

    it('leaves no timer behind when it is closed while requeued records wait, and it for more', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.txt', 'a\nb\nc\n');
      const waits = new Set<unknown>();
      const timer: Clock['timer'] = (delayMs, work, background) => {
        const cancel = systemClock.timer(delayMs, work, background);
        if (delayMs > 80_000) waits.add(cancel);
        return () => {
          waits.delete(cancel);
          cancel();
        };
      };
      const clock = { ...systemClock, timer };
      const options = { requeueDelayMs: 90_000, follow: true, pollMs: 90_000, clock };
      const consumer = consume(fileSource({ path, ...options }), () => undefined);
      await vi.waitFor(() => expect(consumer.messages).toHaveLength(3));
      for (const message of consumer.messages) message.nack(new Error('later'));
      await vi.waitFor(() => expect(waits.size).toBe(2));
      consumer.unsubscribe();
      await vi.waitFor(() => expect(waits.size).toBe(0));
    });

    it('gives a record up after maxAttempts, moves on and saves that', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.txt', 'a\nb\n');
      const offsets = folder.of('offset');
      const nacked: string[] = [];
      const stop = observe((event) => {
        if (event.type === 'message.nacked') nacked.push(`${event.then} ${code(event.reason)}`);
      });
      const consumer = consume(fileSource({ path, offsets, maxAttempts: 2, ...fast }), (message) => {
        if (meta(message).line === 1) message.nack(new SluiceError('HANDLER_FAILED', 'no'));
        else message.ack();
      });
      await vi.waitFor(() => expect(consumer.completed).toBe(true));
      stop();
      expect(nacked).toEqual(['requeue HANDLER_FAILED', 'dead ATTEMPTS_EXHAUSTED']);
      expect(texts(consumer.messages)).toEqual(['a', 'a', 'b']);
      expect(await acked(fileSource({ path, offsets }))).toEqual([]);
    });

    it('stops reading while commitEvery settled records are not saved, and goes on once they are', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.txt', linesOf(numbers(0, 100)));
      const saves: (() => void)[] = [];
      const store: OffsetStore = {
        load: () => ({ file: { inode: 0, headBytes: 0, headHash: '' }, offset: 0, line: 1 }),
        save: () => new Promise((resolve) => saves.push(resolve)),
      };
      const consumer = consume(fileSource({ path, offsets: store, credit: 8, commitEvery: 10 }));
      await vi.waitFor(() => expect(saves).toHaveLength(1));
      expect(consumer.messages).toHaveLength(10);
      saves[0]!();
      await vi.waitFor(() => expect(consumer.messages.length).toBeGreaterThan(10));
      expect(consumer.messages.length).toBeLessThanOrEqual(20);
      let answered = 1;
      const answer = setInterval(() => {
        for (; answered < saves.length; answered += 1) saves[answered]!();
      });
      await vi.waitFor(() => expect(consumer.completed).toBe(true));
      clearInterval(answer);
    });

    it('hands a drain all it delivered, and repeats nothing after it (F16, SHU-02)', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.txt', linesOf(numbers(0, 5000)));
      const offsets = folder.of('offset');
      const copy = folder.of('copy.txt');
      for (let round = 1; round < 20; round += 1) {
        let count = 0;
        let enough: () => void = () => undefined;
        const some = new Promise<void>((resolve) => (enough = resolve));
        const counted = tap<Message<Uint8Array>>(() => {
          count += 1;
          if (count === round * 11) enough();
        });
        const running = run(fileSource({ path, offsets, credit: 16 }).pipe(counted), fileSink({ path: copy }));
        await some;
        await running.stop();
      }
      expect((await readFile(copy, 'utf8')).length).toBeLessThan((await stat(path)).size);
      await run(fileSource({ path, offsets }), fileSink({ path: copy })).done;
      expect(await readFile(copy, 'utf8')).toBe(await readFile(path, 'utf8'));
    });
  });

  describe('a bad record', () => {
    const mixed = '{"n":1}\n{"n":\n{"n":3}\n';

    it('never enters the flow and is dead when nobody keeps dead letters, while the rest flows (F12)', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.ndjson', mixed);
      const reasons: unknown[] = [];
      const stop = observe((event) => {
        if (event.type === 'message.nacked') reasons.push(event.reason);
      });
      const messages = await acked(fileSource({ path, format: ndjson<{ n: number }>() }));
      stop();
      expect(messages.map(({ payload }) => payload.n)).toEqual([1, 3]);
      expect(reasons).toHaveLength(1);
      expect(reasons[0]).toMatchObject({ code: 'DECODE_FAILED', details: { line: 2, offset: 8 } });
    });

    it('reaches whoever keeps dead letters with its raw bytes and place, and again when that fails', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.ndjson', mixed);
      const offsets = folder.of('offset');
      const dead: [string, FileMeta, number][] = [];
      const good: number[] = [];
      const done = new Promise<void>((resolve) => {
        withScope(
          {
            addSource: () => undefined,
            refused(message, reason) {
              expect(reason.code).toBe('DECODE_FAILED');
              dead.push([texts([message as Message<Uint8Array>])[0]!, meta(message), message.attempt]);
              if (message.attempt === 1) message.nack(new Error('the dead letter sink is down'));
              else message.ack();
            },
          },
          () =>
            fileSource({ path, offsets, format: ndjson<{ n: number }>(), ...fast }).subscribe({
              next(message) {
                good.push(message.payload.n);
                message.ack();
              },
              complete: resolve,
            }),
        );
      });
      await done;
      const place = { path, line: 2, offset: 8, bytes: 6 };
      expect(dead).toEqual([
        ['{"n":', place, 1],
        ['{"n":', place, 2],
      ]);
      expect(good).toEqual([1, 3]);
      expect(await acked(fileSource({ path, offsets }))).toEqual([]);
    });

    it('is a dead letter of no more than any sink takes when it is too large (S03)', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.txt', `${'x'.repeat(1_100_000)}\nb\n`);
      const kept: number[] = [];
      const letters: Sink<Uint8Array> = {
        next(message) {
          kept.push(message.payload.length);
          message.ack();
        },
        error: () => undefined,
        complete: () => undefined,
      };
      expect(texts(await acked(fileSource({ path }).pipe(deadLetter(letters))))).toEqual(['b']);
      expect(kept).toEqual([65_536]);
    });

    it('of CSV is one dead letter with its bytes, line and column, and the other rows flow (B13)', async () => {
      await using folder = await temporaryFolder();
      const rows = ['id,amount', '1,10', '2,much', '"3', '3",30', '4', '5,"50"x', '6,60', ''];
      const path = await folder.write('a.csv', rows.join('\r\n'));
      const letters = fileSink({
        path: folder.of('dead.ndjson'),
        record: ({ payload, headers }: Message<unknown>) =>
          JSON.stringify({
            raw: payload instanceof Uint8Array ? texts([{ payload } as Message<Uint8Array>])[0] : payload,
            code: headers[HEADERS.deadCode],
            reason: headers[HEADERS.deadReason],
            position: headers[HEADERS.deadPosition],
          }),
      });
      const format = csv({ columns: { id: 'string', amount: 'number' } });
      const flow = fileSource({ path, format, offsets: folder.of('offset') }).pipe(deadLetter(letters, { retryMs: 1 }));
      const messages = await acked(flow);
      await letters.closed;
      const read = messages.map(({ payload }) => [payload.id, payload.amount]);
      expect(read).toEqual([
        ['1', 10],
        ['3\r\n3', 30],
        ['6', 60],
      ]);
      const dead = (await folder.read('dead.ndjson'))
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as object);
      expect(dead).toMatchObject([
        { raw: '2,much', position: `path ${path}, line 3, offset 17` },
        { raw: '4', position: `path ${path}, line 6, offset 36` },
        { raw: '5,"50"x', position: `path ${path}, line 7, offset 39` },
      ]);
      for (const letter of dead)
        expect(letter).toMatchObject({ reason: expect.stringMatching(/line \d+: column \d+/) });
      expect(await acked(fileSource({ path, format, offsets: folder.of('offset') }))).toEqual([]);
    });

    it('is skipped with its first bytes when it is too large, without being held (B15, F11, S03)', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.txt', `a\n${'x'.repeat(300_000)}\nb\n`);
      const reasons: SluiceError[] = [];
      const stop = observe((event) => {
        if (event.type === 'message.nacked') reasons.push(event.reason as SluiceError);
      });
      const format = lines(bytes(), { maxBytes: 1000 });
      const messages = await acked(fileSource({ path, format, chunkBytes: 4096 }));
      stop();
      expect(texts(messages)).toEqual(['a', 'b']);
      expect(reasons).toHaveLength(1);
      expect(reasons[0]).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', details: { line: 2, offset: 2 } });
    });
  });

  describe('the offset', () => {
    it('is kept in a file with mode 0600 that is never seen half written (S20, F15)', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.txt', linesOf(numbers(0, 600)));
      const offsets = folder.of('offset');
      await folder.write('offset.tmp', 'what a killed process left');
      const consumer = consume(fileSource({ path, offsets, commitEvery: 10 }));
      let looks = 0;
      while (!consumer.completed) {
        const text = await readFile(offsets, 'utf8').catch(() => undefined);
        if (text === undefined) continue;
        looks += 1;
        expect((JSON.parse(text) as FileOffset).file.headBytes).toBe(1024);
      }
      expect(looks).toBeGreaterThan(0);
      expect((await stat(offsets)).mode & 0o777).toBe(0o600);
      await expect(stat(folder.of('offset.tmp'))).rejects.toMatchObject({ code: 'ENOENT' });
      expect(JSON.parse(await readFile(offsets, 'utf8'))).toMatchObject({ line: 601 });
    });

    it('is written through no link that lies where its draft will (S20)', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.txt', 'a\n');
      await folder.write('other', 'of somebody else');
      await symlink(folder.of('other'), folder.of('offset.tmp'));
      expect(texts(await acked(fileSource({ path, offsets: folder.of('offset') })))).toEqual(['a']);
      expect(await folder.read('other')).toBe('of somebody else');
      expect(JSON.parse(await folder.read('offset'))).toMatchObject({ line: 2 });
    });

    it('is refused when the file holds something else: reading all again would not be noticed', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.txt', 'a\n');
      const sound = '{"file":{"inode":1,"headBytes":0,"headHash":""},"offset":2,"line":1}';
      const wrong = [
        ['"offset":2', '"offset":-2'],
        ['"offset":2', '"offset":1.5'],
        ['"offset":2', '"offset":"2"'],
        ['"inode":1', '"inode":"1"'],
        ['"headHash":""', '"headHash":5'],
      ].map(([field, other]) => sound.replace(field!, other!));
      for (const content of ['', 'null', '{}', '{"file":{"inode":1},"offset":0,"line":1}', '{"offset":-', ...wrong]) {
        const offsets = await folder.write('offset', content);
        expect(await failure(fileSource({ path, offsets }))).toBe('OFFSET_INVALID');
      }
    });

    it('is refused when a store of somebody’s own loads something else, as null for nothing', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.txt', 'a\n');
      for (const loaded of [null, 5, { offset: 0 }]) {
        const offsets = { load: () => loaded as never, save: () => undefined };
        expect(await failure(fileSource({ path, offsets }))).toBe('OFFSET_INVALID');
      }
    });

    it('fails with what is wrong when somebody else saves to the same file', async () => {
      await using folder = await temporaryFolder();
      const store = fileOffsets(folder.of('offset'));
      const prototype = (await handles()) as unknown as { datasync(): Promise<void> };
      vi.spyOn(prototype, 'datasync').mockImplementation(() => unlink(folder.of('offset.tmp')));
      const saved = { file: { inode: 1, headBytes: 0, headHash: '' }, offset: 0, line: 1 };
      await expect(Promise.resolve(store.save(saved))).rejects.toMatchObject({
        code: 'OFFSET_INVALID',
        message: expect.stringContaining('Somebody else') as string,
      });
      vi.restoreAllMocks();
      await mkdir(folder.of('offset'));
      await expect(Promise.resolve(store.save(saved))).rejects.toMatchObject({ code: 'FILE_IS_DIRECTORY' });
    });

    it('leaves no file open when its store never answers', async ({ skip }) => {
      if (process.platform !== 'linux') skip('what a process has open is looked up in /proc');
      await using folder = await temporaryFolder();
      const path = await folder.write('a.txt', linesOf(numbers(0, 9)));
      let saves = 0;
      const save = (): Promise<void> | undefined => ((saves += 1) > 1 ? new Promise(() => undefined) : undefined);
      const store: OffsetStore = { load: () => undefined, save: () => save() };
      const consumer = consume(fileSource({ path, offsets: store, commitEvery: 2 }));
      await vi.waitFor(() => expect(consumer.messages).toHaveLength(2));
      expect(await openOf(path)).toEqual([path]);
      consumer.unsubscribe();
      await vi.waitFor(async () => expect(await openOf(path)).toEqual([]));
    });

    it('ends the flow before the first record when it cannot be saved', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.txt', 'a\n');
      expect(await failure(fileSource({ path, offsets: folder.of('none/offset') }))).toBe('FILE_MISSING');
      await mkdir(folder.of('dir'));
      expect(await failure(fileSource({ path, offsets: folder.of('dir') }))).toBe('FILE_IS_DIRECTORY');
    });

    it('that cannot be saved for a while is told and tried again, and no record is repeated (F8)', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.txt', linesOf(numbers(0, 40)));
      let kept: FileOffset | undefined;
      let saves = 0;
      const store: OffsetStore = {
        load: () => kept,
        async save(offset) {
          saves += 1;
          if (saves >= 4 && saves < 7) throw new SluiceError('FILE_FULL', 'no room', { retriable: true });
          kept = offset;
        },
      };
      const { failed, stop } = events();
      const consumer = consume(fileSource({ path, offsets: store, credit: 1, commitEvery: 10, ...fast }));
      await vi.waitFor(() => expect(consumer.completed).toBe(true), { timeout: 5000 });
      expect(texts(consumer.messages)).toEqual(numbers(0, 40));
      stop();
      expect(failed()).toEqual(Array(3).fill('file offset: FILE_FULL'));
      expect(kept?.line).toBe(41);
    });

    it('that can never be saved again ends the flow', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.txt', linesOf(numbers(0, 40)));
      let saves = 0;
      const store: OffsetStore = {
        load: () => undefined,
        save() {
          saves += 1;
          if (saves > 1) throw new SluiceError('FILE_DENIED', 'not any more');
        },
      };
      expect(await failure(fileSource({ path, offsets: store, credit: 1, commitEvery: 10, ...fast }))).toBe(
        'FILE_DENIED',
      );
    });

    it('that cannot be saved at the end is told: the records after the saved one come again', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.txt', 'a\n');
      let saves = 0;
      const store: OffsetStore = {
        load: () => undefined,
        save() {
          saves += 1;
          if (saves > 1) throw new SluiceError('FILE_FULL', 'no room', { retriable: true });
        },
      };
      const { failed, stop } = events();
      await acked(fileSource({ path, offsets: store }));
      stop();
      expect(failed()).toEqual(['file offset: FILE_FULL']);
    });

    it('begins at the end of what is there when asked to, once', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.txt', 'old\n');
      const offsets = folder.of('offset');
      expect(await acked(fileSource({ path, offsets, from: 'end' }))).toEqual([]);
      await folder.append('a.txt', 'new\n');
      expect(texts(await acked(fileSource({ path, offsets, from: 'end' })))).toEqual(['new']);
    });

    it('begins at the end with a whole record, not with the rest of a line that was unfinished (B15)', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.txt', 'old\nhal');
      const begun: number[] = [];
      const offsets: OffsetStore = { load: () => undefined, save: ({ offset }) => void begun.push(offset) };
      const [whole, bare] = (['lines', 'bytes'] as const).map((format) =>
        consume(fileSource({ path, from: 'end', follow: true, format, offsets, ...fast })),
      );
      await vi.waitFor(() => expect([...begun].sort()).toEqual([4, 7]));
      await folder.append('a.txt', 'f\nnew\n');
      await vi.waitFor(() => expect(texts(whole!.messages)).toEqual(['half', 'new']));
      await vi.waitFor(() => expect(texts(bare!.messages).join('')).toBe('f\nnew\n'));
      expect(meta(whole!.messages[0]!)).toMatchObject({ line: 1, offset: 4, bytes: 5 });
      whole!.unsubscribe();
      bare!.unsubscribe();
    });

    it('belongs to one file: another one under its name is read from its start, and that is told (B16)', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.txt', 'a\nb\n');
      const offsets = folder.of('offset');
      await acked(fileSource({ path, offsets }));
      await rename(path, folder.of('aside'));
      await folder.write('a.txt', 'c\nd\ne\n');
      const told = events();
      expect(texts(await acked(fileSource({ path, offsets })))).toEqual(['c', 'd', 'e']);
      await folder.write('a.txt', 'f\n');
      expect(texts(await acked(fileSource({ path, offsets })))).toEqual(['f']);
      // Written anew in its place, and longer than what was read before.
      await folder.write('a.txt', 'g\nh\n');
      expect(texts(await acked(fileSource({ path, offsets })))).toEqual(['g', 'h']);
      told.stop();
      expect(told.moved()).toEqual(['replaced', 'truncated', 'truncated']);
    });
  });

  describe('a file that fails', () => {
    it('that is missing, a folder or a pipe ends the flow, each with its own code (B16)', async () => {
      await using folder = await temporaryFolder();
      await mkdir(folder.of('dir'));
      execFileSync('mkfifo', [folder.of('pipe')]);
      const server = createServer().listen(folder.of('socket'));
      await once(server, 'listening');
      await symlink(folder.of('loop'), folder.of('loop'));
      expect(await failure(fileSource({ path: folder.of('none') }))).toBe('FILE_MISSING');
      for (const name of ['no\0ne', 'n'.repeat(300)]) {
        expect(await failure(fileSource({ path: folder.of(name), follow: true }))).toBe('FILE_MISSING');
      }
      expect(await failure(fileSource({ path: folder.of('dir') }))).toBe('FILE_IS_DIRECTORY');
      expect(await failure(fileSource({ path: folder.of('pipe') }))).toBe('FILE_NOT_REGULAR');
      expect(await failure(fileSource({ path: folder.of('socket') }))).toBe('FILE_NOT_REGULAR');
      expect(await failure(fileSource({ path: '/dev/null' }))).toBe('FILE_NOT_REGULAR');
      expect(await failure(fileSource({ path: folder.of('loop') }))).toBe('FILE_LINK_LOOP');
      server.close();
    });

    it('that may not be read ends the flow (F9)', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.txt', 'a\n');
      await chmod(path, 0o000);
      await chmod(folder.path, 0o755);
      // The superuser may read everything: for this moment the process is somebody else.
      const isSuperuser = process.geteuid?.() === 0;
      if (isSuperuser) process.seteuid?.(65_534);
      try {
        expect(await failure(fileSource({ path }))).toBe('FILE_DENIED');
      } finally {
        if (isSuperuser) process.seteuid?.(0);
      }
    });

    it('that the system makes up as it is read has no size, and is read to its end', async ({ skip }) => {
      if (process.platform !== 'linux') skip('there is no /proc');
      const path = '/proc/version';
      expect(linesOf(texts(await acked(fileSource({ path }))))).toBe(await readFile(path, 'utf8'));
    });

    it('that was cut while it was read ends the flow (B16)', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.txt', linesOf(numbers(0, 1000)));
      let isCut = false;
      const consumer = consume(fileSource({ path, credit: 1, chunkBytes: 1024 }), (message) => isCut && message.ack());
      await vi.waitFor(() => expect(consumer.messages).toHaveLength(1));
      await truncate(path, 10);
      isCut = true;
      consumer.messages[0]!.ack();
      await vi.waitFor(() => expect(code(consumer.error)).toBe('FILE_TRUNCATED'));
    });

    it('is opened again after a failed read, and nothing is lost or repeated but what was unsettled', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.txt', linesOf(numbers(0, 2000)));
      const prototype = await handles();
      const real = prototype.read;
      let reads = 0;
      vi.spyOn(prototype, 'read').mockImplementation(function (this: unknown, ...args) {
        reads += 1;
        if (reads === 5) return Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' }));
        return real.apply(this, args);
      });
      const held: Message<Uint8Array>[] = [];
      const consumer = consume(fileSource({ path, credit: 16, chunkBytes: 1024, ...fast }), (message) => {
        if (held.length < 3 && meta(message).line % 7 === 0) held.push(message);
        else message.ack();
      });
      await vi.waitFor(() => expect(consumer.completed).toBe(true));
      expect(reads).toBeGreaterThan(5);
      expect(held.map((message) => message.ack())).toEqual([false, false, false]);
      const seen = texts(consumer.messages);
      expect(seen.slice(0, 7)).toEqual(numbers(0, 7));
      expect(new Set(seen).size).toBe(2000);
      expect(seen.length - 2000).toBeLessThan(1024);
    });
  });

  describe('within a root', () => {
    it('refuses a path or link that leads out, and follows one that does not (S20, B16)', async () => {
      await using folder = await temporaryFolder();
      await mkdir(folder.of('root/inner'), { recursive: true });
      await folder.write('secret', 'secret\n');
      await folder.write('root/a.txt', 'a\n');
      await symlink(folder.of('secret'), folder.of('root/link'));
      await symlink(folder.path, folder.of('root/up'));
      await symlink('../a.txt', folder.of('root/inner/near'));
      await link(folder.of('root/a.txt'), folder.of('root/..hidden'));
      const root = folder.of('root');
      for (const path of ['../secret', folder.of('secret'), 'inner/../../secret', '.', '..']) {
        expect(() => fileSource({ path, root })).toThrow(expect.objectContaining({ code: 'FILE_OUTSIDE_ROOT' }));
      }
      for (const path of ['link', 'up/secret']) {
        expect(await failure(fileSource({ path, root }))).toBe('FILE_OUTSIDE_ROOT');
      }
      for (const path of ['a.txt', folder.of('root/a.txt'), 'inner/near', '..hidden']) {
        expect(texts(await acked(fileSource({ path, root })))).toEqual(['a']);
      }
      expect(() => fileSource({ path: 'a.txt', root, offsets: '../offset' })).toThrow(SluiceError);
    });
  });

  describe('that follows', () => {
    it('emits what is appended, holds an unfinished line, and does not complete (B15)', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.log', 'a\nhal');
      const consumer = consume(fileSource({ path, follow: true, ...fast }));
      await vi.waitFor(() => expect(texts(consumer.messages)).toEqual(['a']));
      await folder.append('a.log', 'f\nc\n');
      await vi.waitFor(() => expect(texts(consumer.messages)).toEqual(['a', 'half', 'c']));
      expect(meta(consumer.messages[1]!)).toMatchObject({ line: 2, offset: 2, bytes: 5 });
      expect(consumer.completed).toBe(false);
      consumer.unsubscribe();
    });

    it.each(['start', 'end'] as const)(
      'waits for a file that is not there yet, and reads all of it from %s',
      async (from) => {
        await using folder = await temporaryFolder();
        const failed = vi.fn();
        const stop = observe((event) => {
          if (event.type === 'connect.failed') failed(code(event.reason));
        });
        const consumer = consume(fileSource({ path: folder.of('a.log'), follow: true, from, ...fast }));
        await vi.waitFor(() => expect(failed).toHaveBeenCalledWith('FILE_MISSING'));
        stop();
        await folder.write('a.log', 'a\n');
        await vi.waitFor(() => expect(texts(consumer.messages)).toEqual(['a']));
        consumer.unsubscribe();
      },
    );

    it('finishes a rotated file, also what is written to it late, then reads the new one (B16)', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.log', 'a\n');
      const told = events();
      let nowMs = 0;
      let stepMs = 0;
      // Time stands while the old file is written to, however long that takes.
      const clock = { ...systemClock, elapsed: () => (nowMs += stepMs) };
      const consumer = consume(fileSource({ path, follow: true, ...fast, clock }));
      await vi.waitFor(() => expect(consumer.messages).toHaveLength(1));
      await rename(path, folder.of('a.log.1'));
      await folder.append('a.log.1', 'b\n');
      await folder.write('a.log', 'd\n');
      await folder.append('a.log.1', 'c');
      stepMs = 1;
      await vi.waitFor(() => expect(texts(consumer.messages)).toEqual(['a', 'b', 'c', 'd']));
      expect(meta(consumer.messages[3]!)).toEqual({ path, line: 1, offset: 0, bytes: 2 });
      told.stop();
      expect(told.moved().filter((cause) => cause !== 'deleted')).toEqual(['rotated']);
      consumer.unsubscribe();
    });

    it.each([
      ['numbers that grow with age', (age: number) => `a.log.${age}`],
      ['names that grow with youth', (age: number) => `a.log-${String(100 - age).padStart(6, '0')}`],
    ])('reads every file of several rotations in order, by %s', async (_scheme, nameOf) => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.log', '0\n');
      const offsets = folder.of('state');
      // Unsettled, so that it does not read on while the files are moved.
      const first = consume(fileSource({ path, offsets, follow: true, credit: 1, ...fast }), () => undefined);
      await vi.waitFor(() => expect(first.messages).toHaveLength(1));
      await folder.write('a.log.bak', 'no part of it\n');
      const rotate = async (next: string): Promise<void> => {
        for (let age = 11; age > 0; age -= 1)
          await rename(folder.of(nameOf(age)), folder.of(nameOf(age + 1))).catch(() => 0);
        await rename(path, folder.of(nameOf(1)));
        await folder.write('a.log', `${next}\n`);
      };
      for (const next of numbers(1, 6)) await rotate(next);
      first.unsubscribe();
      first.messages[0]!.nack(new Error('stopped'), 'requeue');
      const second = consume(fileSource({ path, offsets, follow: true, credit: 1, ...fast }));
      await vi.waitFor(() => expect(texts(second.messages)).toEqual(numbers(0, 6)));
      for (const next of numbers(6, 9)) await rotate(next);
      await vi.waitFor(() => expect(texts(second.messages)).toEqual(numbers(0, 9)));
      second.unsubscribe();
      const { ino: inode } = await stat(path);
      await vi.waitFor(async () =>
        expect(await fileOffsets(offsets).load()).toMatchObject({ offset: 2, file: { inode } }),
      );
      await folder.append('a.log', 'more\n');
      const third = consume(fileSource({ path, offsets, follow: true, ...fast }));
      await vi.waitFor(() => expect(texts(third.messages)).toEqual(['more']));
      third.unsubscribe();
    });

    it('goes on in the rotated file after a restart, as long as a record of it is unsettled', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.log', 'a\nb\n');
      const offsets = folder.of('state');
      const first = consume(fileSource({ path, offsets, follow: true, ...fast }), (message) => {
        if (texts([message])[0] !== 'b') message.ack();
      });
      await vi.waitFor(() => expect(first.messages).toHaveLength(2));
      await rename(path, folder.of('a.log.1'));
      await folder.write('a.log', 'c\nd\n');
      await vi.waitFor(() => expect(texts(first.messages)).toEqual(['a', 'b', 'c', 'd']));
      await vi.waitFor(async () => expect((JSON.parse(await folder.read('state')) as FileOffset).line).toBe(2));
      first.unsubscribe();
      first.messages[1]!.nack(new Error('stopped'));
      const second = consume(fileSource({ path, offsets, follow: true, ...fast }));
      await vi.waitFor(() => expect(texts(second.messages)).toEqual(['b', 'c', 'd']));
      second.unsubscribe();
    });

    it('finds the rotated file also while names move on', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.log', 'one\ntwo\n');
      let saved: FileOffset | undefined;
      const offsets: OffsetStore = { load: () => saved, save: (offset) => void (saved ??= offset) };
      await acked(fileSource({ path, offsets, ...fast }));
      saved = { ...saved!, offset: 4, line: 2 };
      await rename(path, `${path}.1`);
      await folder.write('a.log', 'new\n');
      let isOver = false;
      // As a rotation does that numbers by age, over and over; ours is always among them.
      const rotating = (async () => {
        for (let oldest = 1; !isOver; oldest = oldest === 8 ? 1 : oldest + 1) {
          for (let age = oldest; age >= 1; age -= 1) await rename(`${path}.${age}`, `${path}.${age + 1}`);
          await rename(path, `${path}.1`);
          await folder.write('a.log', 'new\n');
          if (oldest === 8) await rename(`${path}.9`, `${path}.1`);
        }
      })();
      const first = new Set<string | undefined>();
      for (let round = 0; round < 100; round += 1) {
        first.add(texts(await acked(fileSource({ path, follow: true, offsets, ...fast }).pipe(take(1))))[0]);
      }
      isOver = true;
      await rotating;
      expect([...first]).toEqual(['two']);
    });

    it.each(['is gone', 'was cut'])(
      'begins with the new file where the rotated one %s, and leaves none open',
      async (how) => {
        await using folder = await temporaryFolder();
        const path = await folder.write('a.log', 'a\nb\n');
        const offsets = folder.of('state');
        await acked(fileSource({ path, offsets }));
        await mkdir(folder.of('old'));
        // Beside it no more, but still there: otherwise the new one could be given its number.
        const rotated = how === 'is gone' ? folder.of('old/a.log') : `${path}.1`;
        await rename(path, rotated);
        if (how === 'was cut') await truncate(rotated, 0);
        await folder.write('a.log', 'c\n');
        const consumer = consume(fileSource({ path, offsets, follow: true, ...fast }));
        await vi.waitFor(() => expect(texts(consumer.messages)).toEqual(['c']));
        if (process.platform === 'linux') await vi.waitFor(async () => expect(await openOf(path)).toEqual([path]));
        consumer.unsubscribe();
      },
    );

    it('waits for a new file where the one after the rotated one was deleted before it was opened', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.log', 'a\nb');
      let rests = 0;
      const timer: Clock['timer'] = (delayMs, work, background) => {
        if (delayMs === fast.pollMs) rests += 1;
        return systemClock.timer(delayMs, work, background);
      };
      const options = { path, follow: true, credit: 1, ...fast, clock: { ...systemClock, timer } };
      const consumer = consume(fileSource(options), (message) => {
        if (texts([message])[0] !== 'b') message.ack();
      });
      await vi.waitFor(() => expect(texts(consumer.messages)).toEqual(['a']));
      await rename(path, `${path}.1`);
      await folder.write('a.log', '');
      await vi.waitFor(() => expect(texts(consumer.messages)).toEqual(['a', 'b']));
      await unlink(path);
      const told = events();
      rests = 0;
      consumer.messages[1]!.ack();
      await vi.waitFor(() => expect(rests).toBeGreaterThan(0));
      await folder.write('next', 'c\n');
      await rename(folder.of('next'), path);
      await vi.waitFor(() => expect(texts(consumer.messages)).toEqual(['a', 'b', 'c']));
      told.stop();
      expect(told.moved()).toEqual(['rotated']);
      consumer.unsubscribe();
    });

    it('saves the place in the new file once the last record of the rotated one is settled', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.log', 'a\nb\n');
      const offsets = folder.of('state');
      const consumer = consume(fileSource({ path, offsets, follow: true, ...fast }), (message) => {
        if (texts([message])[0] !== 'b') message.ack();
      });
      await vi.waitFor(() => expect(consumer.messages).toHaveLength(2));
      const { ino: old } = await stat(path);
      await rename(path, folder.of('a.log.1'));
      await folder.write('a.log', 'c\nd\n');
      await vi.waitFor(() => expect(consumer.messages).toHaveLength(4));
      expect(await fileOffsets(offsets).load()).toMatchObject({ line: 2, offset: 2, file: { inode: old } });
      consumer.messages[1]!.ack();
      const { ino: inode } = await stat(path);
      await vi.waitFor(async () =>
        expect(await fileOffsets(offsets).load()).toMatchObject({ line: 3, offset: 4, file: { inode } }),
      );
      consumer.unsubscribe();
    });

    it('saves the beginning of the new file once the rotated one is settled, also while nothing is in it', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.log', 'done\n');
      const offsets = folder.of('state');
      await acked(fileSource({ path, offsets }));
      await folder.append('a.log', 'a\nb\n');
      const told = events();
      const consumer = consume(fileSource({ path, offsets, follow: true, ...fast }), () => undefined);
      await vi.waitFor(() => expect(consumer.messages).toHaveLength(2));
      await rename(path, folder.of('a.log.1'));
      await folder.write('a.log', '');
      // Deleted as well, where it is looked for between the two.
      await vi.waitFor(() => expect(told.moved()).toContain('rotated'));
      told.stop();
      for (const message of consumer.messages) message.ack();
      const { ino: inode } = await stat(path);
      await vi.waitFor(async () =>
        expect(await fileOffsets(offsets).load()).toMatchObject({ line: 1, offset: 0, file: { inode } }),
      );
      if (process.platform === 'linux') {
        expect(await openOf(path)).toEqual([path]);
      }
      consumer.unsubscribe();
    });

    it('goes on with the new file when the old one was put where it is not looked for', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.log', 'a\n');
      await mkdir(folder.of('old'));
      const told = events();
      const consumer = consume(fileSource({ path, follow: true, ...fast }));
      await vi.waitFor(() => expect(consumer.messages).toHaveLength(1));
      await rename(path, folder.of('old/a.log'));
      await folder.write('a.log', 'b\n');
      await vi.waitFor(() => expect(texts(consumer.messages)).toEqual(['a', 'b']));
      told.stop();
      expect([told.moved().at(-1), told.failed()]).toEqual(['rotated', []]);
      consumer.unsubscribe();
    });

    it('knows a file by more of its beginning as it grows, up to 1 KiB', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.log', '');
      let saved: FileOffset | undefined;
      const offsets: OffsetStore = { load: () => saved, save: (offset) => void (saved = offset) };
      const consumer = consume(fileSource({ path, offsets, follow: true, ...fast }));
      for (const [text, headBytes] of [
        ['a\n', 2],
        ['b\n', 4],
        [linesOf(numbers(1000, 1300)), 1024],
      ] as const) {
        await folder.append('a.log', text);
        const { size: offset } = await stat(path);
        await vi.waitFor(() => expect(saved).toMatchObject({ offset, file: { headBytes } }));
      }
      consumer.unsubscribe();
    });

    it('waits for a rotated file as long as it still grows', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.log', 'a\n');
      let nowMs = 0;
      const clock = { ...systemClock, elapsed: () => nowMs };
      const consumer = consume(fileSource({ path, follow: true, ...fast, pollMs: 10, clock }));
      await vi.waitFor(() => expect(consumer.messages).toHaveLength(1));
      const read = vi.spyOn(await handles(), 'read');
      const polledAt = async (ms: number): Promise<void> => {
        nowMs = ms;
        const before = read.mock.calls.length;
        await vi.waitFor(() => expect(read.mock.calls.length).toBeGreaterThan(before + 4));
      };
      await rename(path, folder.of('a.log.1'));
      await folder.write('a.log', 'new\n');
      await polledAt(0);
      nowMs = 5;
      await folder.append('a.log.1', 'b\n');
      await vi.waitFor(() => expect(consumer.messages).toHaveLength(2));
      await polledAt(12);
      await folder.append('a.log.1', 'c\n');
      await vi.waitFor(() => expect(texts(consumer.messages)).toEqual(['a', 'b', 'c']));
      await polledAt(12);
      nowMs = 30;
      await vi.waitFor(() => expect(texts(consumer.messages)).toEqual(['a', 'b', 'c', 'new']));
      consumer.unsubscribe();
    });

    it('begins anew when the file is cut somewhere behind its beginning (B16)', async () => {
      await using folder = await temporaryFolder();
      const values = numbers(100_000, 100_400);
      const path = await folder.write('a.log', linesOf(values));
      const told = events();
      const consumer = consume(fileSource({ path, follow: true, ...fast }));
      await vi.waitFor(() => expect(consumer.messages).toHaveLength(400));
      await truncate(path, 200 * 7);
      await vi.waitFor(() => expect(consumer.messages).toHaveLength(600));
      expect(texts(consumer.messages.slice(400))).toEqual(values.slice(0, 200));
      told.stop();
      expect(told.moved()).toEqual(['truncated']);
      consumer.unsubscribe();
    });

    it('begins anew when the file is cut, also when it grew past the old place meanwhile (B16)', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.log', 'aaaa\nbbbb\n');
      const told = events();
      const consumer = consume(fileSource({ path, follow: true, ...fast, pollMs: 100 }));
      await vi.waitFor(() => expect(consumer.messages).toHaveLength(2));
      await truncate(path, 0);
      await vi.waitFor(() => expect(told.moved()).toEqual(['truncated']));
      await folder.append('a.log', 'c\n');
      await vi.waitFor(() => expect(texts(consumer.messages.slice(2))).toEqual(['c']));
      expect(meta(consumer.messages[2]!)).toMatchObject({ line: 1, offset: 0 });
      await folder.write('a.log', 'dddd\neeee\nffff\n');
      await vi.waitFor(() => expect(texts(consumer.messages.slice(3))).toEqual(['dddd', 'eeee', 'ffff']));
      told.stop();
      expect(told.moved()).toEqual(['truncated', 'truncated']);
      consumer.unsubscribe();
    });

    it('begins anew when as much was written over what was read (B16)', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.log', 'aaaa\nbbbb\n');
      const told = events();
      const consumer = consume(fileSource({ path, follow: true, ...fast }));
      await vi.waitFor(() => expect(consumer.messages).toHaveLength(2));
      await writeFile(path, 'cccc\ndddd\n', { flag: 'r+' });
      await vi.waitFor(() => expect(texts(consumer.messages.slice(2))).toEqual(['cccc', 'dddd']));
      told.stop();
      expect(told.moved()).toEqual(['truncated']);
      consumer.unsubscribe();
    });

    it('begins anew when the file is cut and grows past its place while nobody takes what it read (B16)', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.log', linesOf(numbers(100_000, 100_500)));
      const told = events();
      let isHolding = true;
      const held: Message<Uint8Array>[] = [];
      const consumer = consume(
        fileSource({ path, follow: true, ...fast, chunkBytes: 1024, credit: 150 }),
        (message) => void (isHolding ? held.push(message) : message.ack()),
      );
      await vi.waitFor(() => expect(held).toHaveLength(150));
      await truncate(path, 0);
      const anew = numbers(200_000, 200_600);
      await folder.append('a.log', linesOf(anew));
      isHolding = false;
      for (const message of held) message.ack();
      await vi.waitFor(() => expect(texts(consumer.messages).at(-1)).toBe('200599'));
      // What was read before it was cut still comes; of the new lines each comes once, none in two halves.
      const old = consumer.messages.length - anew.length;
      expect(texts(consumer.messages.slice(0, old))).toEqual(numbers(100_000, 100_000 + old));
      expect(texts(consumer.messages.slice(old))).toEqual(anew);
      expect(meta(consumer.messages[old]!)).toMatchObject({ line: 1, offset: 0 });
      told.stop();
      expect(told.moved()).toEqual(['truncated']);
      consumer.unsubscribe();
    });

    it('keeps a deleted file until there is another one, and tells it once', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.log', 'a\n');
      const told = events();
      const consumer = consume(fileSource({ path, follow: true, ...fast }));
      await vi.waitFor(() => expect(consumer.messages).toHaveLength(1));
      await unlink(path);
      await vi.waitFor(() => expect(told.moved()).toEqual(['deleted']));
      const read = vi.spyOn(await handles(), 'read');
      await vi.waitFor(() => expect(read.mock.calls.length).toBeGreaterThan(3));
      await folder.write('a.log', 'b\n');
      await vi.waitFor(() => expect(texts(consumer.messages)).toEqual(['a', 'b']));
      await unlink(path);
      await vi.waitFor(() => expect(told.moved()).toEqual(['deleted', 'rotated', 'deleted']));
      told.stop();
      consumer.unsubscribe();
    });

    it('waits while its folder is gone, or is a file, and reads the new one that comes with it (B16)', async () => {
      await using folder = await temporaryFolder();
      await mkdir(folder.of('logs'));
      const path = await folder.write('logs/a.log', 'a\n');
      const told = events();
      const consumer = consume(fileSource({ path, follow: true, ...fast }));
      await vi.waitFor(() => expect(consumer.messages).toHaveLength(1));
      await rename(folder.of('logs'), folder.of('old'));
      await folder.write('logs', 'a file');
      const looks = vi.spyOn(await handles(), 'read');
      await vi.waitFor(() => expect(looks.mock.calls.length).toBeGreaterThan(3));
      await unlink(folder.of('logs'));
      await vi.waitFor(() => expect(looks.mock.calls.length).toBeGreaterThan(6));
      await mkdir(folder.of('logs'));
      await folder.write('logs/a.log', 'b\n');
      await vi.waitFor(() => expect(texts(consumer.messages)).toEqual(['a', 'b']));
      told.stop();
      expect(told.moved()).toEqual(['deleted', 'rotated']);
      expect(consumer.error).toBeUndefined();
      consumer.unsubscribe();
    });

    it('ends when a folder takes the file’s place', async () => {
      await using folder = await temporaryFolder();
      const path = await folder.write('a.log', 'a\n');
      const consumer = consume(fileSource({ path, follow: true, ...fast }));
      await vi.waitFor(() => expect(consumer.messages).toHaveLength(1));
      await unlink(path);
      await mkdir(path);
      await vi.waitFor(() => expect(code(consumer.error)).toBe('FILE_IS_DIRECTORY'));
    });

    it('follows the rotations of fileSink', async () => {
      await using folder = await temporaryFolder();
      const path = folder.of('a.log');
      const consumer = consume(fileSource({ path, follow: true, ...fast }));
      const at = recorder();
      const sink = fileSink({ path, rotate: { maxBytes: 200 } });
      for (const value of numbers(0, 500)) sink.next(at.message(value));
      sink.complete();
      await sink.closed;
      await vi.waitFor(() => expect(texts(consumer.messages)).toEqual(numbers(0, 500)));
      consumer.unsubscribe();
    });

    it('loses nothing and repeats nothing under load with rotations', async () => {
      await using folder = await temporaryFolder();
      const path = folder.of('a.log');
      const consumer = consume(fileSource({ path, follow: true, credit: 50, ...fast }), (message) =>
        setImmediate(() => message.ack()),
      );
      const written: string[] = [];
      for (let round = 0; round < 12; round += 1) {
        for (let part = 0; part < 20; part += 1) {
          const next = numbers(written.length, written.length + 37);
          written.push(...next);
          await folder.append('a.log', linesOf(next));
        }
        await rename(path, folder.of(`a.log.${String(round).padStart(6, '0')}`));
      }
      await folder.append('a.log', 'end\n');
      await vi.waitFor(() => expect(texts(consumer.messages).at(-1)).toBe('end'));
      expect(texts(consumer.messages)).toEqual([...written, 'end']);
      consumer.unsubscribe();
    });
  });

  it('refuses options out of range, by name (CRD-05)', () => {
    const config = expect.objectContaining({ code: 'CONFIG_INVALID' }) as Error;
    expect(() => fileSource({ path: '' })).toThrow(config);
    expect(() => fileSource({ path: 'a', credit: 0.5 })).toThrow(config);
    expect(() => fileSource({ path: 'a', chunkBytes: 10 })).toThrow(/'chunkBytes'/);
    expect(() => fileSource({ path: 'a', offsets: 'a' })).toThrow(/'offsets' is the file that is read/);
    expect(() => fileSource({ path: 'a', format: 'csv' as never })).toThrow(/'format'.*lines, bytes/);
    expect(() => fileSource({ path: 'a', format: json() as never })).toThrow(/'format'/);
    expect(() => fileSource({ path: 'a', ofsets: 'b' } as never)).toThrow(/did you mean 'offsets'/);
  });
});

/** Two lines are one record. */
function pairSplitter(start?: SplitStart): Splitter<string> {
  const inner = lines().splitter(start);
  let held: string | undefined;
  let begin = { line: 1, offset: 0 };
  return {
    *push(chunk) {
      for (const record of inner.push(chunk)) {
        if (held === undefined) {
          held = record.value ?? '';
          begin = record;
          continue;
        }
        const value = `${held}\n${record.value ?? ''}`;
        held = undefined;
        const { line, offset } = begin;
        yield { line, offset, nextOffset: record.nextOffset, bytes: Buffer.from(value), value, error: undefined };
      }
    },
    end: () => [],
  };
}
