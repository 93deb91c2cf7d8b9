import { Buffer } from 'node:buffer';
import { expect, it } from 'vitest';
import { leaveOutAborted } from '../../src/links/kafkajs-aborted.js';

const [COMMIT, ABORT] = [1, 0];
interface Given {
  readonly offset: string;
  readonly isControlRecord: boolean;
}

const data = (offset: number, producerId: string, inTransaction = true): object => ({
  offset: String(offset),
  key: Buffer.of(0, 0, 0, 0),
  isControlRecord: false,
  batchContext: { producerId, inTransaction },
});
const end = (offset: number, producerId: string, type: number): object => ({
  offset: String(offset),
  key: Buffer.of(0, 0, 0, type),
  isControlRecord: true,
  batchContext: { producerId, inTransaction: true },
});

/** The offsets of what is for readers. */
async function left(messages: readonly object[], ...aborted: readonly [string, number][]): Promise<string> {
  const abortedTransactions = aborted.map(([producerId, first]) => ({ producerId, firstOffset: String(first) }));
  const broker = { fetch: async () => ({ responses: [{ partitions: [{ abortedTransactions, messages }] }] }) };
  leaveOutAborted(broker);
  leaveOutAborted(broker);
  const { responses } = await broker.fetch();
  const part = responses[0]?.partitions[0];
  // The client looks for none any more.
  expect(part?.abortedTransactions).toEqual([]);
  return ((part?.messages ?? []) as Given[])
    .filter((one) => !one.isControlRecord)
    .map(({ offset }) => offset)
    .join();
}

it('leaves out what was aborted, also where it began before what was aborted first', async () => {
  const log = [data(0, 'a'), data(1, 'b'), end(2, 'b', ABORT), data(3, 'b'), end(4, 'b', COMMIT), end(5, 'a', ABORT)];
  // As brokers name them: in the order of their ends.
  expect(await left(log, ['b', 1], ['a', 0])).toBe('3');
});

it('keeps what a producer wrote after the end of one that was aborted, wherever reading begins', async () => {
  const log = [end(6, 'b', ABORT), data(7, 'b'), data(8, 'a'), end(9, 'b', COMMIT), end(10, 'a', ABORT)];
  expect(await left(log, ['b', 4], ['a', 3])).toBe('7');
});

it('keeps what was written in no transaction, whatever its key', async () => {
  const log = [data(0, 'a'), data(1, 'c', false), data(2, 'a', false), data(3, 'a'), end(4, 'a', ABORT)];
  expect(await left(log, ['a', 0])).toBe('1,2');
});
