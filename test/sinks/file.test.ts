import {
  chmod,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  unlink,
  writeFile,
} from 'node:fs/promises';
import process from 'node:process';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { backoff, ndjson, observe, systemClock, type Clock, type Message, type Sink } from 'sluice';
import { csv } from 'sluice/csv';
import { fileSink, type FileSinkOptions } from 'sluice/file';
import { recorder, type Recorder } from '../helpers/message.js';
import { temporaryFolder, type Folder } from '../helpers/folder.js';

interface Handle {
  write(bytes: Uint8Array, offset: number, length: number): Promise<{ bytesWritten: number }>;
  datasync(): Promise<void>;
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
}

/** The class of every file handle, to stand between a writer and its disk. */
async function handles(): Promise<Handle> {
  const handle = await open('/dev/null');
  const found = Object.getPrototypeOf(handle) as Handle;
  await handle.close();
  return found;
}

const fault = (code: string): Error => Object.assign(new Error(code), { code });
const again = { reconnect: backoff({ initialMs: 1 }) };

/** A sink on a file of the folder, and what becomes of what it is given. */
function bench(
  folder: Folder,
  options: Partial<FileSinkOptions> = {},
): { sink: Sink<string | Uint8Array>; at: Recorder } {
  return { sink: fileSink({ path: folder.of('out.txt'), ...again, ...options }), at: recorder() };
}

async function end(sink: Sink<never> | Sink<string | Uint8Array>): Promise<void> {
  sink.complete();
  await sink.closed;
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('fileSink', () => {
  it('appends text and bytes with a line end and acks each, in order (S0.32, S2.48, SNK-01)', async () => {
    await using folder = await temporaryFolder();
    await folder.write('out.txt', 'was here\n');
    const { sink, at } = bench(folder);
    sink.next(at.message('one'));
    sink.next(at.message(new TextEncoder().encode('zwölf €')));
    sink.next(at.message(''));
    await end(sink);
    expect(await folder.read('out.txt')).toBe('was here\none\nzwölf €\n\n');
    expect(at.settled.map(({ outcome }) => outcome)).toEqual(['ack', 'ack', 'ack']);
    expect(at.open).toEqual([]);
  });

  it('creates the file for its owner alone, and leaves the mode of one that is there (S20)', async () => {
    await using folder = await temporaryFolder();
    const first = bench(folder);
    first.sink.next(first.at.message('a'));
    await end(first.sink);
    expect((await stat(folder.of('out.txt'))).mode & 0o777).toBe(0o600);
    await chmod(folder.of('out.txt'), 0o640);
    const second = bench(folder);
    second.sink.next(second.at.message('b'));
    await end(second.sink);
    expect((await stat(folder.of('out.txt'))).mode & 0o777).toBe(0o640);
  });

  it('closes without having opened anything when it was given nothing', async () => {
    await using folder = await temporaryFolder();
    const { sink } = bench(folder);
    await end(sink);
    expect(await readdir(folder.path)).toEqual([]);
  });

  it('writes values of a format, with its head at the start of every new file (S2.18)', async () => {
    await using folder = await temporaryFolder();
    const at = recorder();
    const rows = { ...ndjson<{ n: number }>(), head: new TextEncoder().encode('# head\n') };
    const path = folder.of('out.ndjson');
    const first = fileSink({ path, format: rows, rotate: { maxBytes: 24 } });
    for (const n of [1, 2, 3]) first.next(at.message({ n }));
    await end(first);
    const second = fileSink({ path, format: rows });
    second.next(at.message({ n: 4 }));
    await end(second);
    expect(await folder.read('out.ndjson.000001')).toBe('# head\n{"n":1}\n{"n":2}\n');
    expect(await folder.read('out.ndjson')).toBe('# head\n{"n":3}\n{"n":4}\n');
    expect(at.log).toEqual(Array(4).fill('[object Object] ack'));
  });

  describe('with a format that begins files with a head', () => {
    const rows = csv({ columns: { id: 'string', amount: 'number' } });
    const write = async (folder: Folder): Promise<readonly [readonly string[], Sink<never>, string]> => {
      const at = recorder();
      const sink = fileSink({ path: folder.of('out.csv'), format: rows });
      sink.next(at.message({ id: 'b', amount: 2 }));
      await end(sink);
      return [at.log.map((text) => text.replace('[object Object] ', '')), sink, await folder.read('out.csv')];
    };

    it.each([
      ['LF', 'id,amount\na,1\n'],
      ['a byte-order mark', '\uFEFFid,amount\r\na,1\r\n'],
      ['nothing behind it', 'id,amount\r\n'],
    ])('appends to one that begins with it, also with %s', async (_what, before) => {
      await using folder = await temporaryFolder();
      await folder.write('out.csv', before);
      expect(await write(folder)).toMatchObject([['ack'], {}, `${before}b,2\r\n`]);
    });

    it.each([
      ['another order', 'amount,id\n1,a\n'],
      ['more columns', 'id,amount,paid\na,1,true\n'],
      ['fewer columns', 'id\na\n'],
      ['no head', 'a,1\n'],
      ['another head and an unfinished line', 'x\n1\n2'],
    ])('refuses one with %s, and leaves it as it is', async (_what, before) => {
      await using folder = await temporaryFolder();
      await folder.write('out.csv', before);
      const [log, sink, after] = await write(folder);
      expect([log, after]).toEqual([['requeue CONFIG_INVALID'], before]);
      expect(sink.failure?.message).toContain(`does not begin as the format would have it, with "id,amount"`);
    });
  });

  it('writes what `record` gives for a message', async () => {
    await using folder = await temporaryFolder();
    const at = recorder();
    const sink = fileSink({
      path: folder.of('out.txt'),
      lineEnd: '\r\n',
      record: ({ topic, payload }: Message<number>) => `${topic}=${payload.toFixed(1)}`,
    });
    sink.next(at.message(1, { topic: 'a' }));
    sink.next(at.message(2, { topic: 'b' }));
    await end(sink);
    expect(await folder.read('out.txt')).toBe('a=1.0\r\nb=2.0\r\n');
  });

  it('gives up a message that cannot be written, and writes the others (B12)', async () => {
    await using folder = await temporaryFolder();
    const { sink, at } = bench(folder);
    sink.next(at.message('a'));
    sink.next(at.message({ no: 'text' } as never));
    sink.next(at.message('b'));
    const odd = fileSink({ path: folder.of('odd.txt'), format: ndjson() });
    odd.next(at.message(1n));
    await Promise.all([end(sink), end(odd)]);
    expect(await folder.read('out.txt')).toBe('a\nb\n');
    expect(at.settled.filter(({ outcome }) => outcome !== 'ack')).toMatchObject([
      { outcome: 'dead', code: 'ENCODE_FAILED' },
      { outcome: 'dead', code: 'ENCODE_FAILED' },
    ]);
  });

  it('writes no other text than it was given, and acks nothing that was not written (DEL-02)', async () => {
    await using folder = await temporaryFolder();
    const { sink, at } = bench(folder);
    sink.next(at.message('half \ud83d of one'));
    sink.next(at.message('whole \u{1f600}'));
    const given: unknown[] = ['half \ud83d', 7, undefined, [1, 2], new Uint16Array([1])];
    const record = ({ payload }: Message<number>): string => given[payload] as string;
    const odd = fileSink({ path: folder.of('odd.txt'), lineEnd: '', record });
    for (const [index] of given.entries()) odd.next(at.message(index));
    await Promise.all([end(sink), end(odd)]);
    expect([await folder.read('out.txt'), await folder.read('odd.txt')]).toEqual(['whole \u{1f600}\n', '']);
    expect(at.settled.filter(({ outcome }) => outcome !== 'ack').map(({ code }) => code)).toEqual(
      Array.from({ length: 6 }, () => 'ENCODE_FAILED'),
    );
  });

  describe('when it acks', () => {
    /** Runs 5 messages that come together, and tells what the disk and the messages saw. */
    async function order(folder: Folder, fsync: FileSinkOptions['fsync']): Promise<string> {
      const prototype = await handles();
      const log: string[] = [];
      const { write, datasync } = prototype;
      vi.spyOn(prototype, 'write').mockImplementation(async function (this: unknown, ...args) {
        const done = await write.apply(this as Handle, args);
        log.push('w');
        return done;
      });
      vi.spyOn(prototype, 'datasync').mockImplementation(async function (this: unknown) {
        await datasync.apply(this as Handle);
        log.push('s');
      });
      const { sink, at } = bench(folder, { fsync: fsync ?? 'batch' });
      for (const text of 'abcde') {
        const message = at.message(text);
        const { ack } = message;
        vi.spyOn(message, 'ack').mockImplementation((note) => {
          log.push('a');
          return ack.call(message, note);
        });
        sink.next(message);
      }
      await vi.waitFor(() => expect(at.open).toEqual([]));
      await end(sink);
      return log.join('');
    }

    it.each([
      { fsync: 'batch', expected: 'wsaaaaa' },
      { fsync: 'every', expected: 'wsawsawsawsawsa' },
      { fsync: 'never', expected: 'waaaaa' },
    ] as const)('is after the disk has it: $fsync writes, syncs and acks as $expected (SNK-01)', async (given) => {
      const { fsync, expected } = given;
      await using folder = await temporaryFolder();
      expect(await order(folder, fsync)).toBe(expected);
    });

    it('is at most so often with everyMs, and never before the sync', async () => {
      await using folder = await temporaryFolder();
      expect(await order(folder, { everyMs: 5 })).toBe('wsaaaaa');
    });

    it('is at once on complete, however long everyMs is', async () => {
      await using folder = await temporaryFolder();
      const { sink, at } = bench(folder, { fsync: { everyMs: 3_600_000 }, confirmTimeoutMs: 0 });
      sink.next(at.message('a'));
      await vi.waitFor(async () => expect(await folder.read('out.txt')).toBe('a\n'));
      expect(at.open).toEqual(['a']);
      sink.next(at.message('b'));
      await end(sink);
      expect(at.log).toEqual(['a ack', 'b ack']);
    });

    it('is after everyMs again for what comes after a rotation', async () => {
      await using folder = await temporaryFolder();
      const { sink, at } = bench(folder, { fsync: { everyMs: 5 }, rotate: { maxBytes: 2 } });
      for (const text of 'ab') sink.next(at.message(text));
      await vi.waitFor(() => expect(at.log).toEqual(['a ack', 'b ack']));
      await end(sink);
    });

    it('is at once also when the disk is at work on complete', async () => {
      await using folder = await temporaryFolder();
      const prototype = await handles();
      const { write } = prototype;
      const { sink, at } = bench(folder, { fsync: { everyMs: 3_600_000 }, confirmTimeoutMs: 0 });
      sink.next(at.message('a'));
      await vi.waitFor(async () => expect(await folder.read('out.txt')).toBe('a\n'));
      vi.spyOn(prototype, 'write').mockImplementationOnce(function (this: unknown, ...args) {
        sink.complete();
        return write.apply(this as Handle, args);
      });
      sink.next(at.message('b'));
      await sink.closed;
      expect(at.log).toEqual(['b ack', 'a ack']);
    });
  });

  it('writes what comes meanwhile as the next group, and holds no more than a group (S2.16, SNK-03, SNK-04)', async () => {
    await using folder = await temporaryFolder();
    const prototype = await handles();
    const { write } = prototype;
    const sizes: number[] = [];
    vi.spyOn(prototype, 'write').mockImplementation(function (this: unknown, ...args) {
      sizes.push(args[2]);
      return write.apply(this as Handle, args);
    });
    const { sink, at } = bench(folder);
    const line = 'x'.repeat(9999);
    for (let n = 0; n < 1000; n += 1) sink.next(at.message(line));
    await end(sink);
    expect(await folder.read('out.txt')).toBe(`${line}\n`.repeat(1000));
    expect(at.settled).toHaveLength(1000);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1024 * 1024 + 10_000);
    expect(sizes.length).toBeLessThan(20);
  });

  it('goes on after a full group also when what comes next cannot be written', async () => {
    await using folder = await temporaryFolder();
    const { sink, at } = bench(folder);
    const long = 'x'.repeat(1024 * 1024);
    sink.next(at.message(long));
    await vi.waitFor(() => expect(at.open).toEqual([]));
    sink.next(at.message(1 as unknown as string));
    sink.next(at.message('b'));
    await end(sink);
    expect(at.settled.map(({ outcome }) => outcome)).toEqual(['ack', 'dead', 'ack']);
  });

  it('waits while maxUnconfirmed are not on disk (SNK-03)', async () => {
    await using folder = await temporaryFolder();
    const prototype = await handles();
    let release: () => void = () => undefined;
    vi.spyOn(prototype, 'datasync').mockImplementation(() => new Promise((resolve) => (release = resolve)));
    const { sink, at } = bench(folder, { maxUnconfirmed: 3 });
    for (const text of 'abcde') sink.next(at.message(text));
    await vi.waitFor(async () => expect(await folder.read('out.txt')).toBe('a\nb\nc\n'));
    vi.restoreAllMocks();
    release();
    await end(sink);
    expect(await folder.read('out.txt')).toBe('a\nb\nc\nd\ne\n');
    expect(at.open).toEqual([]);
  });

  it('forces the name of a new file to disk with its first record, unless it never syncs', async () => {
    await using folder = await temporaryFolder();
    const sync = vi.spyOn(await handles(), 'sync');
    for (const [name, fsync] of [
      ['a', 'batch'],
      ['a', 'batch'],
      ['b', 'never'],
    ] as const) {
      const { sink, at } = bench(folder, { path: folder.of(name), fsync });
      sink.next(at.message('x'));
      await end(sink);
    }
    expect(sync).toHaveBeenCalledTimes(1);
  });

  describe('after a crash', () => {
    it.each([
      ['nothing', 'a\nb\n', 'a\nb\n'],
      ['half a record', 'a\nhal', 'a\n'],
      ['a long half record', `a\n${'x'.repeat(200_000)}`, 'a\n'],
      ['half of the first record', 'hal', ''],
    ])('cuts off %s: it was never acked (F8, F15)', async (_what, left, kept) => {
      await using folder = await temporaryFolder();
      await folder.write('out.txt', left);
      const { sink, at } = bench(folder);
      sink.next(at.message('next'));
      await end(sink);
      expect(await folder.read('out.txt')).toBe(`${kept}next\n`);
      expect(at.log).toEqual(['next ack']);
    });

    it.each([
      ['a record with line ends inside', 'a,1\r\n"b\nb"",\n","2', 'a,1\r\n'],
      ['its first lines alone', 'a,1\r\n"b\nb\n', 'a,1\r\n'],
      ['such a record, the first of all', '"b\nb', ''],
      ['nothing of whole ones', 'a,1\r\n"b\nb"",\n""",2\r\n', 'a,1\r\n"b\nb"",\n""",2\r\n'],
    ])('cuts off %s, so that nothing is appended inside of its quotes (F8)', async (_what, left, kept) => {
      const long = Array.from({ length: 20_000 }, (_, at) => `"${at}\n,""x""",${at}\r\n`).join('');
      for (const before of ['', long]) {
        await using folder = await temporaryFolder();
        await folder.write('out.csv', `t,n\r\n${before}${left}`);
        const at = recorder();
        const sink = fileSink({ path: folder.of('out.csv'), format: csv({ columns: { t: 'string', n: 'number' } }) });
        sink.next(at.message({ t: 'z', n: 3 }));
        await end(sink);
        expect((await folder.read('out.csv')) === `t,n\r\n${before}${kept}z,3\r\n`).toBe(true);
      }
    });

    it('asks all of a file whose end looks unfinished from a line inside of a record', async () => {
      await using folder = await temporaryFolder();
      const rows = csv({ columns: { t: 'string', n: 'number' }, maxBytes: 4_000_000 });
      // Seen from any of its lines, the end of this cell opens a quote.
      const row = rows.encodeRecord({ t: `${'x'.repeat(99)}\n`.repeat(5_000), n: 1 });
      await folder.write('out.csv', Buffer.concat([rows.head, row]));
      const at = recorder();
      const sink = fileSink({ path: folder.of('out.csv'), format: rows });
      sink.next(at.message({ t: 'z', n: 3 }));
      await end(sink);
      expect((await folder.read('out.csv')).slice(-12)).toBe('x\n",1\r\nz,3\r\n');
      expect((await stat(folder.of('out.csv'))).size).toBe(rows.head.length + row.length + 5);
    });

    it('cuts nothing off where records have no end of their own', async () => {
      await using folder = await temporaryFolder();
      await folder.write('out.txt', 'a\nhal');
      const { sink, at } = bench(folder, { lineEnd: '' });
      sink.next(at.message('f'));
      await end(sink);
      expect(await folder.read('out.txt')).toBe('a\nhalf');
    });
  });

  describe('a disk that fails', () => {
    it('and is full nacks what had no room, leaves no part of it, and goes on when there is room (F8, B16)', async () => {
      await using folder = await temporaryFolder();
      const prototype = await handles();
      const { write } = prototype;
      let room = 7;
      vi.spyOn(prototype, 'write').mockImplementation(async function (this: unknown, bytes, offset, length) {
        if (room === 0) throw fault('ENOSPC');
        const { bytesWritten } = await write.call(this as Handle, bytes, offset, Math.min(room, length));
        room -= bytesWritten;
        return { bytesWritten };
      });
      const { sink, at } = bench(folder);
      sink.next(at.message('abcd'));
      await vi.waitFor(() => expect(at.log).toEqual(['abcd ack']));
      sink.next(at.message('efgh'));
      sink.next(at.message('i'));
      await vi.waitFor(() => expect(at.settled).toHaveLength(3));
      expect(await folder.read('out.txt')).toBe('abcd\n');
      room = Infinity;
      sink.next(at.message('efgh'));
      await end(sink);
      expect(await folder.read('out.txt')).toBe('abcd\nefgh\n');
      expect(at.log).toEqual(['abcd ack', 'efgh requeue FILE_FULL', 'i requeue FILE_FULL', 'efgh ack']);
    });

    it('and is full holds everything until there is room, when it may wait (F8)', async () => {
      await using folder = await temporaryFolder();
      const prototype = await handles();
      const { write } = prototype;
      let isFull = true;
      vi.spyOn(prototype, 'write').mockImplementation(function (this: unknown, ...args) {
        return isFull ? Promise.reject(fault('ENOSPC')) : write.apply(this as Handle, args);
      });
      const waits: (() => void)[] = [];
      const timer: Clock['timer'] = (delayMs, work, background) => {
        if (delayMs !== 1000) return systemClock.timer(delayMs, work, background);
        waits.push(work);
        return () => undefined;
      };
      const { sink, at } = bench(folder, { onFull: 'wait', clock: { ...systemClock, timer } });
      const seen: string[] = [];
      const statuses = sink.status$?.subscribe((status) => seen.push(status));
      sink.next(at.message('a'));
      await vi.waitFor(() => expect(waits).toHaveLength(1));
      sink.next(at.message('b'));
      waits[0]!();
      await vi.waitFor(() => expect(waits).toHaveLength(2));
      expect(at.open).toEqual(['a', 'b']);
      expect(seen.at(-1)).toBe('degraded');
      isFull = false;
      waits[1]!();
      await end(sink);
      statuses?.unsubscribe();
      expect(seen.slice(-3)).toEqual(['connected', 'closing', 'closed']);
      expect(at.log).toEqual(['a ack', 'b ack']);
      expect(await folder.read('out.txt')).toBe('a\nb\n');
    });

    it('and is full for good does not keep the sink from closing', async () => {
      await using folder = await temporaryFolder();
      vi.spyOn(await handles(), 'write').mockRejectedValue(fault('ENOSPC'));
      const waits: string[] = [];
      const timer: Clock['timer'] = (delayMs, work, background) => {
        if (delayMs !== 1000) return systemClock.timer(delayMs, work, background);
        waits.push('begun');
        return () => void waits.push('cancelled');
      };
      const clock = { ...systemClock, timer };
      const { sink, at } = bench(folder, { onFull: 'wait', closeTimeoutMs: 20, clock });
      sink.next(at.message('a'));
      await vi.waitFor(() => expect(waits).toEqual(['begun']));
      await end(sink);
      expect(at.log).toEqual(['a requeue CONFIRM_TIMEOUT']);
      expect(waits).toEqual(['begun', 'cancelled']);
    });

    it('and is slow writes nothing of what had still waited once the sink is closed', async () => {
      await using folder = await temporaryFolder();
      const prototype = await handles();
      const { write } = prototype;
      let goOn: (() => void) | undefined;
      vi.spyOn(prototype, 'write').mockImplementationOnce(async function (this: unknown, ...args) {
        await new Promise<void>((resolve) => (goOn = resolve));
        return write.apply(this as Handle, args);
      });
      const { sink, at } = bench(folder, { closeTimeoutMs: 20 });
      sink.next(at.message('a'));
      await vi.waitFor(() => expect(goOn).toBeDefined());
      sink.next(at.message('b'));
      sink.complete();
      await vi.waitFor(() => expect(at.open).toEqual([]));
      await rename(folder.of('out.txt'), folder.of('moved'));
      goOn?.();
      await sink.closed;
      const { sink: other, at: others } = bench(folder);
      other.next(others.message('c'));
      await end(other);
      expect(others.log).toEqual(['c ack']);
      expect(at.log).toEqual(['a requeue CONFIRM_TIMEOUT', 'b requeue CONFIRM_TIMEOUT']);
      expect([await folder.read('moved'), await folder.read('out.txt')]).toEqual(['a\n', 'c\n']);
    });

    it('and is full nacks what begins a file with a head too, and leaves no part of the head (F8)', async () => {
      await using folder = await temporaryFolder();
      const prototype = await handles();
      const { write } = prototype;
      let room = 5;
      vi.spyOn(prototype, 'write').mockImplementation(async function (this: unknown, bytes, offset, length) {
        if (room === 0) throw fault('ENOSPC');
        const { bytesWritten } = await write.call(this as Handle, bytes, offset, Math.min(room, length));
        room -= bytesWritten;
        return { bytesWritten };
      });
      const at = recorder();
      const sink = fileSink({ path: folder.of('out.csv'), format: csv({ columns: { id: 'string' } }), ...again });
      sink.next(at.message({ id: 'a' }));
      await vi.waitFor(() => expect(at.settled).toHaveLength(1));
      expect(await folder.read('out.csv')).toBe('');
      room = Infinity;
      sink.next(at.message({ id: 'b' }));
      await end(sink);
      expect(at.log).toEqual(['[object Object] requeue FILE_FULL', '[object Object] ack']);
      expect(await folder.read('out.csv')).toBe('id\r\nb\r\n');
    });

    it('already on opening tells why, and tries again', async () => {
      await using folder = await temporaryFolder();
      await folder.write('out.csv', 'id\r\na\r\nhal');
      vi.spyOn(await handles(), 'truncate').mockRejectedValueOnce(fault('EIO'));
      const told: unknown[] = [];
      const stop = observe((event) => event.type === 'connect.failed' && told.push(event.reason));
      const at = recorder();
      const sink = fileSink({ path: folder.of('out.csv'), format: csv({ columns: { id: 'string' } }), ...again });
      sink.next(at.message({ id: 'b' }));
      await end(sink);
      stop();
      const message = `'${folder.of('out.csv')}' failed with EIO.`;
      expect(told).toMatchObject([{ code: 'FILE_FAILED', message, retriable: true }]);
      expect(await folder.read('out.csv')).toBe(`id\r\na\r\nb\r\n`);
    });

    it('in the middle of a record, and again when that is cut off, leaves no part of it', async () => {
      await using folder = await temporaryFolder();
      const prototype = await handles();
      const { write } = prototype;
      let writes = 0;
      vi.spyOn(prototype, 'write').mockImplementation(function (this: unknown, bytes, offset, length) {
        writes += 1;
        if (writes === 3) return Promise.reject(fault('EIO'));
        return write.call(this as Handle, bytes, offset, writes === 2 ? 2 : length);
      });
      vi.spyOn(prototype, 'truncate').mockRejectedValueOnce(fault('EIO'));
      const { sink, at } = bench(folder);
      sink.next(at.message('abcd'));
      await vi.waitFor(() => expect(at.open).toEqual([]));
      sink.next(at.message('efgh'));
      await end(sink);
      expect([at.log, await folder.read('out.txt')]).toEqual([['abcd ack', 'efgh ack'], 'abcd\nefgh\n']);
    });

    it('and loses a sync opens the file anew and writes again what was not confirmed (SNK-02)', async () => {
      await using folder = await temporaryFolder();
      const prototype = await handles();
      const { datasync } = prototype;
      let syncs = 0;
      vi.spyOn(prototype, 'datasync').mockImplementation(function (this: unknown) {
        syncs += 1;
        return syncs === 2 ? Promise.reject(fault('EIO')) : datasync.apply(this as Handle);
      });
      const { sink, at } = bench(folder);
      sink.next(at.message('a'));
      await vi.waitFor(() => expect(at.log).toEqual(['a ack']));
      sink.next(at.message('b'));
      sink.next(at.message('c'));
      await vi.waitFor(() => expect(at.open).toEqual([]));
      await end(sink);
      expect(at.log).toEqual(['a ack', 'b ack', 'c ack']);
      expect((await folder.read('out.txt')).split('\n').slice(-3)).toEqual(['b', 'c', '']);
    });
  });

  describe('rotation', () => {
    it('puts a file aside before it grows larger, numbered on over restarts', async () => {
      await using folder = await temporaryFolder();
      for (const part of ['abcdefg', 'hij']) {
        const { sink, at } = bench(folder, { rotate: { maxBytes: 4 } });
        for (const text of part) sink.next(at.message(text));
        await end(sink);
        expect(at.settled.every(({ outcome }) => outcome === 'ack')).toBe(true);
      }
      expect((await readdir(folder.path)).sort()).toEqual([
        'out.txt',
        'out.txt.000001',
        'out.txt.000002',
        'out.txt.000003',
        'out.txt.000004',
      ]);
      const parts = await Promise.all(
        ['.000001', '.000002', '.000003', '.000004', ''].map((suffix) => folder.read(`out.txt${suffix}`)),
      );
      expect(parts).toEqual(['a\nb\n', 'c\nd\n', 'e\nf\n', 'g\nh\n', 'i\nj\n']);
    });

    it('gives a record that is larger alone a file of its own', async () => {
      await using folder = await temporaryFolder();
      const { sink, at } = bench(folder, { rotate: { maxBytes: 4 } });
      for (const text of ['a', 'larger than that', 'b']) sink.next(at.message(text));
      await end(sink);
      expect(await folder.read('out.txt.000001')).toBe('a\n');
      expect(await folder.read('out.txt.000002')).toBe('larger than that\n');
      expect(await folder.read('out.txt')).toBe('b\n');
    });

    it('begins a new file with the first record after everyMs', async () => {
      await using folder = await temporaryFolder();
      let nowMs = 0;
      const { sink, at } = bench(folder, {
        rotate: { everyMs: 1000 },
        clock: { ...systemClock, elapsed: () => nowMs },
      });
      for (const [text, atMs] of [
        ['a', 0],
        ['b', 999],
        ['c', 1500],
        ['d', 2400],
        ['e', 2500],
      ] as const) {
        nowMs = atMs;
        sink.next(at.message(text));
        await vi.waitFor(() => expect(at.open).toEqual([]));
      }
      await end(sink);
      expect(await folder.read('out.txt.000001')).toBe('a\nb\n');
      expect(await folder.read('out.txt.000002')).toBe('c\nd\n');
      expect(await folder.read('out.txt')).toBe('e\n');
    });

    it('counts everyMs from when the file was begun, also by an earlier process', async () => {
      await using folder = await temporaryFolder();
      for (const [text, hours] of [
        ['a', 0],
        ['b', 23],
        ['c', 25],
      ] as const) {
        // The time of a process begins with it: the wall clock is all that goes on.
        const clock = { ...systemClock, now: () => systemClock.now() + hours * 3_600_000 };
        const { sink, at } = bench(folder, { rotate: { everyMs: 86_400_000 }, clock });
        sink.next(at.message(text));
        await end(sink);
      }
      expect([await folder.read('out.txt.000001'), await folder.read('out.txt')]).toEqual(['a\nb\n', 'c\n']);
    });

    it('counts everyMs from the first record where the file was empty until then', async () => {
      await using folder = await temporaryFolder();
      let nowMs = 0;
      const { sink, at } = bench(folder, {
        rotate: { everyMs: 1000 },
        clock: { ...systemClock, elapsed: () => nowMs },
      });
      sink.next(at.message(1 as unknown as string));
      await vi.waitFor(() => expect(at.open).toEqual([]));
      nowMs = 5000;
      for (const text of 'ab') {
        sink.next(at.message(text));
        await vi.waitFor(() => expect(at.open).toEqual([]));
      }
      await end(sink);
      expect(await folder.read('out.txt')).toBe('a\nb\n');
    });

    it('keeps as many files as it was told to', async () => {
      await using folder = await temporaryFolder();
      await folder.write('out.txt.note', 'not one of them');
      await folder.write('two.txt.000009', 'nor is this');
      const { sink, at } = bench(folder, { rotate: { maxBytes: 2, keep: 2 } });
      for (const text of 'abcdef') sink.next(at.message(text));
      await end(sink);
      expect((await readdir(folder.path)).sort()).toEqual([
        'out.txt',
        'out.txt.000004',
        'out.txt.000005',
        'out.txt.note',
        'two.txt.000009',
      ]);
      const { sink: none, at: other } = bench(folder, {
        path: folder.of('none.txt'),
        rotate: { maxBytes: 2, keep: 0 },
      });
      for (const text of 'abc') none.next(other.message(text));
      await end(none);
      expect((await readdir(folder.path)).filter((name) => name.startsWith('none'))).toEqual(['none.txt']);
      expect(await folder.read('none.txt')).toBe('c\n');
    });
  });

  describe('rotation beside other programs', () => {
    it('begins a new file where somebody else was quicker to put the old one aside', async () => {
      await using folder = await temporaryFolder();
      const { sink, at } = bench(folder, { rotate: { maxBytes: 2 } });
      sink.next(at.message('a'));
      await vi.waitFor(() => expect(at.open).toEqual([]));
      // Between the look whether it is there and the rotation.
      vi.spyOn(await handles(), 'datasync').mockImplementationOnce(() =>
        rename(folder.of('out.txt'), folder.of('moved')),
      );
      sink.next(at.message('b'));
      await end(sink);
      expect(at.log).toEqual(['a ack', 'b ack']);
      expect([await folder.read('moved'), await folder.read('out.txt')]).toEqual(['a\n', 'b\n']);
    });

    it('ends with what the system says of the new name where a file cannot be put aside, and loses nothing', async () => {
      await using folder = await temporaryFolder();
      // There is room for the name, and none for a number behind it.
      const path = folder.of('x'.repeat(250));
      const { sink, at } = bench(folder, { path, rotate: { maxBytes: 2 } });
      sink.next(at.message('a'));
      await vi.waitFor(() => expect(at.open).toEqual([]));
      for (const text of 'bc') sink.next(at.message(text));
      await sink.closed;
      expect(at.log).toEqual(['a ack', 'b requeue FILE_MISSING', 'c requeue FILE_MISSING']);
      expect(sink.failure?.message).toBe(`'${path}.000001' has too long a name: shorten it.`);
      expect(await readFile(path, 'utf8')).toBe('a\n');
      const { sink: next, at: other } = bench(folder, { path });
      for (const text of 'bc') next.next(other.message(text));
      await end(next);
      expect(await readFile(path, 'utf8')).toBe('a\nb\nc\n');
    });

    it('overwrites no file where the numbers get longer', async () => {
      await using folder = await temporaryFolder();
      for (const number of ['999999', '1000000']) await folder.write(`out.txt.${number}`, `${number}\n`);
      const { sink, at } = bench(folder, { rotate: { maxBytes: 2 } });
      for (const text of 'ab') sink.next(at.message(text));
      await end(sink);
      const parts = ['999999', '1000000', '1000001'].map((number) => folder.read(`out.txt.${number}`));
      expect(await Promise.all(parts)).toEqual(['999999\n', '1000000\n', 'a\n']);
    });

    it('overwrites no file whose number is too large to count on from', async () => {
      await using folder = await temporaryFolder();
      await folder.write('out.txt.1795874548000000000', 'of somebody else\n');
      const { sink, at } = bench(folder, { rotate: { maxBytes: 2 } });
      for (const text of 'abc') sink.next(at.message(text));
      await end(sink);
      expect(await folder.read('out.txt.1795874548000000000')).toBe('of somebody else\n');
      expect([await folder.read('out.txt.000001'), await folder.read('out.txt.000002')]).toEqual(['a\n', 'b\n']);
    });

    it('goes on where an old file cannot be deleted, and says so', async () => {
      await using folder = await temporaryFolder();
      await mkdir(folder.of('out.txt.000001'));
      const told: unknown[] = [];
      const stop = observe((event) => event.type === 'stage.failed' && told.push(event.stage, event.reason));
      const { sink, at } = bench(folder, { rotate: { maxBytes: 2, keep: 1 } });
      for (const text of 'ab') sink.next(at.message(text));
      await end(sink);
      stop();
      expect(at.log).toEqual(['a ack', 'b ack']);
      expect(told).toMatchObject(['file rotation', { code: 'FILE_IS_DIRECTORY' }]);
      expect(await folder.read('out.txt.000002')).toBe('a\n');
    });
  });

  it('waits while another sink of the process writes to its file, and says so', async () => {
    await using folder = await temporaryFolder();
    const told: unknown[] = [];
    const stop = observe((event) => event.type === 'connect.failed' && told.push(event.reason));
    const first = bench(folder);
    first.sink.next(first.at.message('a'));
    await vi.waitFor(() => expect(first.at.log).toEqual(['a ack']));
    const second = bench(folder, { path: `${folder.path}/./out.txt` });
    second.sink.next(second.at.message('c'));
    await vi.waitFor(() => expect(told.length).toBeGreaterThan(0));
    first.sink.next(first.at.message('b'));
    await end(first.sink);
    await end(second.sink);
    stop();
    expect([second.at.log, await folder.read('out.txt')]).toEqual([['c ack'], 'a\nb\nc\n']);
    const text = 'is written to by another sink of this process: give one sink to all flows that write to it.';
    expect(told[0]).toMatchObject({ code: 'FILE_FAILED', message: `'${folder.path}/./out.txt' ${text}` });
  });

  it('leaves no file open that it could not use', async ({ skip }) => {
    if (process.platform !== 'linux') skip('what a process has open is looked up in /proc');
    await using folder = await temporaryFolder();
    const openTo = async (name: string): Promise<number> => {
      const all = await readdir('/proc/self/fd');
      const targets = await Promise.all(all.map((at) => readlink(`/proc/self/fd/${at}`).catch(() => '')));
      return targets.filter((target) => target === folder.of(name)).length;
    };
    const told: unknown[] = [];
    const stop = observe((event) => event.type === 'connect.failed' && told.push(event.reason));
    const first = bench(folder);
    first.sink.next(first.at.message('a'));
    await vi.waitFor(() => expect(first.at.log).toEqual(['a ack']));
    await folder.write('cut.txt', 'a\nhal');
    vi.spyOn(await handles(), 'truncate').mockRejectedValue(fault('EIO'));
    const others = ['out.txt', 'cut.txt'].map((name) => bench(folder, { path: folder.of(name) }));
    for (const { sink, at } of others) sink.next(at.message('b'));
    await vi.waitFor(() => expect(told.length).toBeGreaterThan(4));
    vi.restoreAllMocks();
    await end(first.sink);
    for (const { sink } of others) await end(sink);
    stop();
    expect([await openTo('out.txt'), await openTo('cut.txt')]).toEqual([0, 0]);
  });

  it('begins anew, head included, when somebody cut the file', async () => {
    await using folder = await temporaryFolder();
    const at = recorder();
    const sink = fileSink({ path: folder.of('out.csv'), format: csv({ columns: { id: 'string' }, lineEnd: '\n' }) });
    for (const [id, cut] of [
      ['a', undefined],
      ['b', 0],
      ['c', 4],
    ] as const) {
      if (cut !== undefined) await truncate(folder.of('out.csv'), cut);
      sink.next(at.message({ id }));
      await vi.waitFor(() => expect(at.open).toEqual([]));
    }
    await end(sink);
    expect(await folder.read('out.csv')).toBe('id\nc\n');
  });

  it('writes again what was in a deleted file and not forced to disk', async () => {
    await using folder = await temporaryFolder();
    for (const next of [[], ['b']]) {
      const { sink, at } = bench(folder, { fsync: { everyMs: 60_000 }, confirmTimeoutMs: 60_001 });
      sink.next(at.message('a'));
      await vi.waitFor(async () => expect(await folder.read('out.txt')).toBe('a\n'));
      await unlink(folder.of('out.txt'));
      for (const text of next) {
        sink.next(at.message(text));
        await vi.waitFor(async () => expect(await folder.read('out.txt')).toContain(text));
      }
      await end(sink);
      const all = ['a', ...next];
      expect(at.log).toEqual(all.map((text) => `${text} ack`));
      expect(await folder.read('out.txt')).toBe(all.map((text) => `${text}\n`).join(''));
      await unlink(folder.of('out.txt'));
    }
  });

  it('leaves no timer behind when it ends before the next sync is due', async () => {
    await using folder = await temporaryFolder();
    const waits = new Set<unknown>();
    const timer: Clock['timer'] = (delayMs, work, background) => {
      const cancel = systemClock.timer(delayMs, work, background);
      if (delayMs === 90_000) waits.add(cancel);
      return () => {
        waits.delete(cancel);
        cancel();
      };
    };
    const clock = { ...systemClock, timer };
    const { sink, at } = bench(folder, { fsync: { everyMs: 90_000 }, confirmTimeoutMs: 100_000, clock });
    sink.next(at.message('a'));
    await vi.waitFor(() => expect(waits.size).toBe(1));
    await end(sink);
    expect([at.log, waits.size]).toEqual([['a ack'], 0]);
  });

  it('begins anew when the file was moved, deleted or replaced, so that nothing goes where nobody looks (B16)', async () => {
    await using folder = await temporaryFolder();
    const path = folder.of('out.txt');
    const { sink, at } = bench(folder);
    const write = async (text: string): Promise<void> => {
      sink.next(at.message(text));
      await vi.waitFor(() => expect(at.open).toEqual([]));
    };
    await write('a');
    await rename(path, folder.of('moved'));
    await write('b');
    expect(await folder.read('moved')).toBe('a\n');
    expect(await folder.read('out.txt')).toBe('b\n');
    await unlink(path);
    await write('c');
    expect(await folder.read('out.txt')).toBe('c\n');
    await writeFile(folder.of('other'), 'other\n');
    await rename(folder.of('other'), path);
    await write('d');
    await end(sink);
    expect(await readFile(path, 'utf8')).toBe('other\nd\n');
  });

  describe('a place that cannot be written', () => {
    it('nacks and closes, each cause with its own code (B16)', async () => {
      await using folder = await temporaryFolder();
      await mkdir(folder.of('dir'));
      await symlink(folder.of('loop'), folder.of('loop'));
      const cases = { none: 'none/out.txt', dir: 'dir', loop: 'loop' };
      const codes: Record<string, string | undefined> = {};
      for (const [name, path] of [...Object.entries(cases), ['device', '/dev/full']] as const) {
        const { sink, at } = bench(folder, { path: path.startsWith('/') ? path : folder.of(path) });
        sink.next(at.message('a'));
        await sink.closed;
        sink.next(at.message('b'));
        codes[name] = at.log.join(', ');
      }
      expect(codes).toEqual({
        none: 'a requeue FILE_MISSING, b release',
        dir: 'a requeue FILE_IS_DIRECTORY, b release',
        loop: 'a requeue FILE_LINK_LOOP, b release',
        device: 'a requeue FILE_NOT_REGULAR, b release',
      });
    });

    it('is one whose folder is not there, or is removed meanwhile, and says so', async () => {
      await using folder = await temporaryFolder();
      await mkdir(folder.of('logs'));
      const { sink, at } = bench(folder, { path: folder.of('logs/out.txt') });
      sink.next(at.message('a'));
      await vi.waitFor(() => expect(at.open).toEqual([]));
      await rm(folder.of('logs'), { recursive: true });
      sink.next(at.message('b'));
      await sink.closed;
      expect(at.log).toEqual(['a ack', 'b requeue FILE_MISSING']);
      const text = `The folder of '${folder.of('logs/out.txt')}' does not exist: create it, or correct 'path'.`;
      expect(sink.failure?.message).toBe(text);
    });

    it('is one the process may not write to', async () => {
      await using folder = await temporaryFolder();
      await chmod(folder.path, 0o555);
      const isSuperuser = process.geteuid?.() === 0;
      if (isSuperuser) process.seteuid?.(65_534);
      try {
        const { sink, at } = bench(folder);
        sink.next(at.message('a'));
        await sink.closed;
        expect(at.log).toEqual(['a requeue FILE_DENIED']);
        expect(sink.failure?.code).toBe('FILE_DENIED');
      } finally {
        if (isSuperuser) process.seteuid?.(0);
        await chmod(folder.path, 0o755);
      }
    });

    it('is one outside the root, by its name or by a link (S20)', async () => {
      await using folder = await temporaryFolder();
      await mkdir(folder.of('root'));
      await folder.write('secret', 'secret\n');
      await symlink(folder.of('secret'), folder.of('root/link'));
      await symlink(folder.of('not there'), folder.of('root/dangling'));
      await symlink(folder.path, folder.of('root/up'));
      const root = folder.of('root');
      expect(() => fileSink({ path: '../secret', root })).toThrow(
        expect.objectContaining({ code: 'FILE_OUTSIDE_ROOT' }) as Error,
      );
      const codes: string[] = [];
      for (const path of ['link', 'dangling', 'up/secret', 'up/new']) {
        const { sink, at } = bench(folder, { path, root });
        sink.next(at.message('a'));
        await sink.closed;
        codes.push(...at.log);
      }
      expect(codes).toEqual([
        'a requeue FILE_OUTSIDE_ROOT',
        'a requeue FILE_LINK_LOOP',
        'a requeue FILE_OUTSIDE_ROOT',
        'a requeue FILE_OUTSIDE_ROOT',
      ]);
      expect((await readdir(folder.path)).sort()).toEqual(['root', 'secret']);
      expect(await folder.read('secret')).toBe('secret\n');
      const { sink, at } = bench(folder, { path: 'in.txt', root });
      sink.next(at.message('a'));
      await end(sink);
      expect(await folder.read('root/in.txt')).toBe('a\n');
    });
  });

  it('refuses options out of range, by name', () => {
    const refuse = (options: object, text: RegExp): void =>
      expect(() => fileSink({ path: 'a', ...options } as FileSinkOptions)).toThrow(text);
    refuse({ path: '' }, /'path'/);
    refuse({ fsync: 'sometimes' }, /'fsync'.*every, batch, never/);
    refuse({ fsync: { everyMs: -1 } }, /fsync: 'everyMs'/);
    refuse({ fsync: { everyMs: 10_000 } }, /'fsync.everyMs' of 10000 has to be less than 'confirmTimeoutMs' of 10000/);
    refuse({ fsync: { everyMs: 5 }, confirmTimeoutMs: 5 }, /'fsync.everyMs' of 5/);
    refuse({ rotate: { maxByte: 1 } }, /did you mean 'maxBytes'/);
    refuse({ rotate: { keep: -1 } }, /rotate: 'keep'/);
    refuse({ rotate: { keep: 3 } }, /'rotate' needs 'maxBytes' or 'everyMs'/);
    refuse({ lineEnd: '\t' }, /'lineEnd'/);
    refuse({ onFull: 'drop' }, /'onFull'.*nack, wait/);
    refuse({ format: ndjson(), record: () => '' }, /give one of them/);
    refuse({ maxUnconfirmed: 0 }, /'maxUnconfirmed'/);
  });
});
