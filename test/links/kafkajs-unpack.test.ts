import { crc32c } from '@platformatic/kafka';
import { Buffer } from 'node:buffer';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { AT, recordBatch, type KafkaBatchHead } from '../../src/links/kafka-record-batch.js';
import { boundUnpacking } from '../../src/links/kafkajs-unpack.js';
import { BROKEN, zipped } from '../helpers/kafka-broken.js';

interface Message {
  readonly offset: string;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, Buffer | Buffer[]>>;
  readonly refusal?: { readonly code: string };
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean };
}
interface Part {
  readonly partition: number;
  readonly messages: readonly Message[];
}
interface Answer {
  readonly responses: readonly { readonly topicName: string; readonly partitions: readonly Part[] }[];
}

/** The client's own way to read an answer. */
const client = createRequire(import.meta.url)('kafkajs/src/protocol/requests/fetch') as {
  protocol(of: { version: number }): (options: object) => unknown;
};
const MAX_BYTES = 1_000;

function packed(offset: number, values: readonly string[], more: Partial<KafkaBatchHead> = {}): Buffer {
  const head = { producer: undefined, isTransactional: false, compression: 'gzip', checksum: crc32c, ...more } as const;
  const records = values.map((value) => ({ key: null, value: Buffer.from(value), headers: {}, timeMs: 5 }));
  const batch = recordBatch(records, head);
  batch.writeBigInt64BE(BigInt(offset));
  return batch;
}
const plain = (offset: number, value: string): Buffer => packed(offset, [value], { compression: 'none' });
/** As a sender could have written it. */
function cut(batch: Buffer): Buffer {
  const short = Buffer.from(batch.subarray(0, -6));
  short.writeInt32BE(short.length - AT.leaderEpoch, AT.length);
  return short;
}
const int = (bytes: 2 | 4 | 8, value: number): Buffer => {
  const buffer = Buffer.alloc(bytes);
  buffer.writeIntBE(value, Math.max(0, bytes - 6), Math.min(6, bytes));
  return buffer;
};

/** An answer about partitions of topic `a`, as a broker writes it. */
function answerOf(version: number, parts: readonly (readonly Buffer[])[]): Buffer {
  const partitions = parts.map((batches, partition) => {
    const records = Buffer.concat(batches);
    const ends = [int(8, 9), int(8, 9), ...(version >= 5 ? [int(8, 0)] : [])];
    const aborted = [int(4, 1), int(8, 99), int(8, 0), ...(version >= 11 ? [int(4, 0)] : [])];
    return Buffer.concat([int(4, partition), int(2, 0), ...ends, ...aborted, int(4, records.length), records]);
  });
  const head = version >= 7 ? [int(2, 0), int(4, 0)] : [];
  const topics = [int(4, 1), int(2, 1), Buffer.from('a'), int(4, parts.length), ...partitions];
  return Buffer.concat([int(4, 0), ...head, ...topics]);
}

/** What the client makes of it behind the bound. */
async function read(
  version: number,
  parts: readonly (readonly Buffer[])[],
  maxBytes: number = MAX_BYTES,
): Promise<readonly Part[]> {
  const raw = answerOf(version, parts);
  const broker = {
    lookupRequest: (_key: number, definition: typeof client) => definition.protocol({ version }),
    async fetch() {
      const exchange = this.lookupRequest(1, client);
      const { response } = exchange({ topics: [] }) as { response: { decode(raw: Buffer): Promise<Answer> } };
      return response.decode(raw);
    },
  };
  boundUnpacking(broker, maxBytes);
  boundUnpacking(broker, 1);
  await broker.fetch();
  const { responses } = await broker.fetch();
  return responses[0]?.partitions ?? [];
}
const shown = ({ messages }: Part): string =>
  messages.map(({ offset, value, refusal }) => `${offset} ${refusal?.code ?? String(value)}`).join(', ');

describe('boundUnpacking', () => {
  it.each([4, 5, 7, 11])(
    'reads what was packed, and refuses what is too much, in version %i (S04, B11, F12)',
    async (version) => {
      const parts = await read(version, [
        [plain(0, 'a'), packed(1, ['b', 'c']), packed(3, ['x'.repeat(MAX_BYTES), 'y']), plain(5, 'd')],
        [cut(packed(7, ['e'])), packed(8, ['f'])],
        [],
        [plain(0, 'z'.repeat(2 * MAX_BYTES))],
      ]);
      expect(parts.map(({ partition }) => partition)).toEqual([0, 1, 2, 3]);
      expect(parts.slice(0, 3).map(shown)).toEqual([
        '0 a, 1 b, 2 c, 4 PAYLOAD_TOO_LARGE, 5 d',
        '7 DECODE_FAILED, 8 f',
        '',
      ]);
      expect(parts[3]?.messages[0]?.value.length).toBe(2 * MAX_BYTES);
    },
  );

  it.each(BROKEN)('refuses a batch %s, packed or not, and reads all others (B11, F12)', async (_, breakIt) => {
    const broken = packed(1, ['b', 'c', 'd'], { compression: 'none' });
    breakIt(broken);
    const [first, second] = await read(11, [
      [plain(0, 'a'), broken, plain(4, 'e')],
      [packed(0, ['a']), zipped(broken), packed(4, ['e'])],
    ]);
    for (const part of [first!, second!]) expect(shown(part)).toBe('0 a, 3 DECODE_FAILED, 4 e');
  });

  it.each([
    ['a mark of a transaction that cannot be read', (batch: Buffer) => batch.writeInt16BE(0b11_0000, AT.attributes)],
    ['a batch that is shorter than its head', (batch: Buffer) => batch.writeInt32BE(2, AT.length)],
    ['a batch that ends before it begins', (batch: Buffer) => batch.writeInt32BE(-100, AT.length)],
  ])('ends with PROTOCOL_ERROR at %s', async (_, breakIt) => {
    const batch = plain(0, 'a');
    batch[AT.records] = 100;
    breakIt(batch);
    const error: unknown = await read(11, [[batch]]).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'PROTOCOL_ERROR', retriable: false });
    // The client passes on the cause of an error in place of it.
    expect((error as Error).cause).toBeUndefined();
  });

  it('keeps whose a refused batch is, which may be of a transaction that was aborted', async () => {
    const producer = { id: 42n, epoch: 1, sequence: 7 };
    const [part] = await read(11, [[packed(0, ['x'.repeat(MAX_BYTES)], { producer, isTransactional: true })]]);
    expect(part?.messages[0]).toMatchObject({ batchContext: { producerId: '42', inTransaction: true } });
  });

  it('leaves what is packed for the next answer once as much as may be was unpacked (S04, RES-01)', async () => {
    const batches = (from: number): Buffer[] => [0, 1, 2].map((at) => packed(from + at, ['x'.repeat(900)]));
    const parts = await read(11, [[...batches(0), plain(3, 'a')], [...batches(0), plain(3, 'a')], [plain(0, 'b')]]);
    expect(parts.map(({ messages }) => messages.map(({ offset }) => offset).join(''))).toEqual(['0123', '01', '0']);
  });

  it.each(['none', 'gzip'] as const)(
    'reads many headers itself (%s): the client copies all for each further one, and would take minutes (B21)',
    async (compression) => {
      const many = Object.fromEntries(Array.from({ length: 20_000 }, (_, at) => [`h${at}`, Buffer.from([at & 0xff])]));
      const twice = { a: [Buffer.from('1'), Buffer.from('2')] };
      const records = [many, {}, twice].map((headers, at) => ({ key: null, value: int(2, at), headers, timeMs: 5 }));
      const batch = recordBatch(records, {
        producer: undefined,
        isTransactional: false,
        compression,
        checksum: crc32c,
      });
      batch.writeBigInt64BE(1n);
      const [part] = await read(11, [[plain(0, 'a'), batch, plain(4, 'e')]], 10_000_000);
      const { messages = [] } = part ?? {};
      expect(messages.map(({ offset, value }) => [Number(offset), value.length])).toEqual([
        [0, 1],
        [1, 2],
        [2, 2],
        [3, 2],
        [4, 1],
      ]);
      expect(messages.map(({ headers }) => ({ ...headers }))).toEqual([{}, many, {}, twice, {}]);
    },
  );

  it('leaves what nobody packed as it is', async () => {
    const [part] = await read(11, [[plain(0, 'a')]]);
    expect(shown(part!)).toBe('0 a');
  });
});
