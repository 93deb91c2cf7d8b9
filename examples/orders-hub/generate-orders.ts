import { randomUUID } from 'node:crypto';
import { createWriteStream, existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** One row in so many is broken: an amount that is no number, a missing customer, a cell too few. */
const BROKEN_EVERY = 400;
const NOTES = ['', '', '', 'gift', 'call first', 'say ""hi"", please', 'two\nlines', 'left, at the door'];

/** Writes `rows` orders to `path` unless it is there. The same seed gives the same file to the byte. */
export async function generateOrders(path: string, rows: number, seed = 7): Promise<void> {
  if (existsSync(path)) return;
  mkdirSync(dirname(path), { recursive: true });
  // A run that is stopped half way must not leave half a file behind as the input of the next one, and two that begin at
  // once must not write into one file.
  const part = `${path}.${randomUUID()}.part`;
  await pipeline(Readable.from(lines(rows, seed)), createWriteStream(part));
  renameSync(part, path);
}

function* lines(rows: number, seed: number): Generator<string> {
  const random = mulberry32(seed);
  yield 'order_id,customer,amount,currency,placed,note\n';
  let block = '';
  for (let at = 1; at <= rows; at += 1) {
    const customer = `C${String(Math.floor(random() ** 2 * 2_000)).padStart(4, '0')}`;
    // Most orders are small, few are large.
    const amount = (10 ** (1 + random() * 2.5)).toFixed(2);
    const placed = new Date(Date.UTC(2026, 0, 1) + at * 30_000).toISOString();
    const note = NOTES[Math.floor(random() * NOTES.length)] as string;
    const cell = /[",\n]/.test(note) ? `"${note}"` : note;
    block += row(at, random, `O${String(at).padStart(7, '0')}`, customer, amount, placed, cell);
    if (block.length > 65_536) {
      yield block;
      block = '';
    }
  }
  yield block;
}

function row(
  at: number,
  random: () => number,
  id: string,
  customer: string,
  amount: string,
  placed: string,
  note: string,
): string {
  if (at % BROKEN_EVERY === 0) {
    const kind = random();
    if (kind < 0.34) return `${id},${customer},n/a,EUR,${placed},${note}\n`;
    if (kind < 0.67) return `${id},,${amount},EUR,${placed},${note}\n`;
    return `${id},${customer},${amount}\n`;
  }
  return `${id},${customer},${amount},EUR,${placed},${note}\n`;
}

function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
