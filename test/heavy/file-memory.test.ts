import { open, stat } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { childProgram } from '../helpers/child-program.js';
import { temporaryFolder } from '../helpers/folder.js';

const MIB = 1024 * 1024;

/** Reads a CSV file: slowly, a row per timer, or as fast as it goes. Tells how its memory grew and how much it read. */
const READ = `
import { open } from 'node:fs/promises';
import { csv } from 'sluice/csv';
import { fileSource } from 'sluice/file';
const [path, pace, credit, rows] = process.argv.slice(2);
const handle = await open(path);
const prototype = Object.getPrototypeOf(handle);
const { read } = prototype;
let bytes = 0;
prototype.read = async function (...args) {
  const done = await read.apply(this, args);
  bytes += done.bytesRead;
  return done;
};
let count = 0;
let base = 0;
let most = 0;
const settled = [];
const look = () => {
  const { rss } = process.memoryUsage();
  if (base === 0) base = rss;
  most = Math.max(most, rss);
};
const format = csv({ columns: { id: 'number', customer: 'string', product: 'string', price: 'number' } });
const subscription = fileSource({ path, format, credit: Number(credit) }).subscribe({
  next(message) {
    count += 1;
    if (message.payload.id !== count) throw new Error('row ' + count + ' is ' + message.payload.id);
    // What the engine needs to warm up is not what the file needs; at full speed its young generation grows first.
    if (count >= (pace === 'slow' ? 2000 : 500000) && count % 500 === 0) look();
    if (pace === 'slow') setTimeout(() => message.ack(), 1);
    else message.ack();
    if (count === Number(rows)) end();
  },
  error: (error) => { console.log(error); process.exit(1); },
  complete: () => end(),
});
function end() {
  subscription.unsubscribe();
  look();
  const cpu = process.cpuUsage();
  console.log(JSON.stringify({ count, bytes, grown: most - base, cpuMs: (cpu.user + cpu.system) / 1000 }));
  process.exit(0);
}
`;

interface Seen {
  readonly count: number;
  readonly bytes: number;
  readonly grown: number;
}

/** CSV rows with ids from 1 on, at least so many bytes. */
async function writeRows(path: string, atLeast: number): Promise<number> {
  const handle = await open(path, 'w');
  await handle.write('id,customer,product,price\n');
  let id = 0;
  for (let size = 0; size < atLeast;) {
    let text = '';
    for (let row = 0; row < 50_000; row += 1) {
      id += 1;
      text += `${id},customer-${id % 1000},product-${id % 777} of the catalogue,${(id % 10_000) / 100}\n`;
    }
    size += (await handle.write(text)).bytesWritten;
  }
  await handle.close();
  return id;
}

describe('a CSV file larger than memory should hold', () => {
  it('of 2 GiB grows the process by less than 64 MiB with a slow consumer, and is read only as it is consumed', async () => {
    await using folder = await temporaryFolder();
    const program = await childProgram(READ);
    const path = folder.of('large.csv');
    await writeRows(path, 16 * MIB);
    // The rest is never reached: a hole costs no time to write and is as long as rows would be.
    const handle = await open(path, 'r+');
    await handle.truncate(2 * 1024 * MIB);
    await handle.close();
    expect((await stat(path)).size).toBe(2 * 1024 * MIB);
    for (const [credit, rows] of [
      ['16', '20000'],
      ['1000', '100000'],
    ] as const) {
      const child = program.start(path, 'slow', credit, rows);
      expect(await child.ended, child.said).toBe(0);
      const seen = JSON.parse(child.said) as Seen;
      expect(seen.count).toBe(Number(rows));
      expect(seen.grown).toBeLessThan(64 * MIB);
      // A row has some 45 bytes: what was read is what was consumed, the head, and one chunk.
      expect(seen.bytes).toBeLessThan(Number(rows) * 60 + MIB);
    }
  });

  it('of 200 MB grows a process that is warm by less than 64 MiB at full speed', async () => {
    await using folder = await temporaryFolder();
    const program = await childProgram(READ);
    const rows = await writeRows(folder.of('full.csv'), 200 * MIB);
    const child = program.start(folder.of('full.csv'), 'fast', '128', '0');
    expect(await child.ended, child.said).toBe(0);
    const seen = JSON.parse(child.said) as Seen;
    expect(seen.count).toBe(rows);
    expect(seen.grown).toBeLessThan(64 * MIB);
  });
});
