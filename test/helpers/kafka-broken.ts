import { Buffer } from 'node:buffer';
import { gzipSync } from 'node:zlib';
import { AT, GZIP } from '../../src/links/kafka-record-batch.js';

/** A record of one byte: its length, attributes, time, offset, key, the length of its value, the value, how many headers. */
const VALUE_LENGTH = AT.records + 5;
const HEADERS = AT.records + 7;
/** A number that takes one byte, as it is written. */
const written = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value);

/** What makes a batch of some records of one byte unreadable, and what is said of it. */
export const BROKEN: readonly (readonly [what: string, breakIt: (batch: Buffer) => void, reason: string])[] = [
  ['with fewer records than it says', (batch) => void batch.writeInt32BE(4, AT.count), 'cut off'],
  ['whose record is longer than all', (batch) => void (batch[AT.records] = written(60)), 'cut off'],
  ['whose record has no end', (batch) => void batch.fill(0xff, AT.records), 'number is too long'],
  ['whose record is shorter than it says', (batch) => void (batch[AT.records] = written(8)), 'not as long as it says'],
  ['whose value reaches into the next record', (batch) => void (batch[VALUE_LENGTH] = written(3)), 'as it says'],
  ['whose value is longer than all', (batch) => void (batch[VALUE_LENGTH] = written(60)), 'cut off'],
  ['whose time is longer than a number', (batch) => setLongTime(batch), 'number is too long'],
  ['with more headers than there are', (batch) => void (batch[HEADERS] = written(60)), 'cut off'],
];

/** One record in the place of three of a byte each, with a time of twelve bytes. */
function setLongTime(batch: Buffer): void {
  batch.writeInt32BE(1, AT.count);
  const time = [...Array.from({ length: 11 }, () => 0xff), 1];
  const value = [written(6), ...Buffer.from('longer')];
  batch.set([written(23), 0, ...time, written(0), written(-1), ...value, written(0)], AT.records);
}

/** A batch that nobody packed, packed. */
export function zipped(batch: Buffer): Buffer {
  const bytes = Buffer.concat([batch.subarray(0, AT.records), gzipSync(batch.subarray(AT.records))]);
  bytes.writeInt32BE(bytes.length - AT.leaderEpoch, AT.length);
  bytes.writeInt16BE(GZIP, AT.attributes);
  return bytes;
}
