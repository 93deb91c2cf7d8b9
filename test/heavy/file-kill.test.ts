import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { FileOffset } from 'sluice/file';
import { seededRandom } from '../../src/testing/seeded-random.js';
import { childProgram, type Child } from '../helpers/child-program.js';
import { temporaryFolder, type Folder } from '../helpers/folder.js';

const CREDIT = 16;
const COMMIT_EVERY = 40;

/** Copies a file, works on each line for a random while, several at once. */
const COPY = `
import { appendFileSync } from 'node:fs';
import { each, run } from 'sluice';
import { fileSink, fileSource } from 'sluice/file';
import { onSignal } from 'sluice/on-signal';
const [from, to, offsets, most] = process.argv.slice(2);
let seen = 0;
const stay = setInterval(() => {}, 1000);
let stopped;
const stop = new Promise((resolve) => (stopped = resolve));
const work = (line) => new Promise((resolve) => {
  if ((seen += 1) === 20) console.log('at work');
  // It never gets to the end before it is killed or stopped, however late that comes.
  if (seen > Number(most)) void stop.then(() => resolve(line));
  else setTimeout(resolve, Math.random() * 3, line);
});
const copied = run(
  fileSource({ path: from, offsets, credit: ${CREDIT}, commitEvery: ${COMMIT_EVERY}, commitIntervalMs: 5 }).pipe(
    each(work, { concurrency: 8 }),
  ),
  fileSink({ path: to }),
);
onSignal(copied, { onStop: stopped, onStopped: (report) => console.log('unfinished ' + report.unfinished.length) });
await copied.done;
console.log('done');
process.exit(0);
`;

const numbers = (count: number): string[] => Array.from({ length: count }, (_, at) => String(at + 1));

async function copied(folder: Folder): Promise<number[]> {
  const text = await readFile(folder.of('to'), 'utf8').catch(() => '');
  // What was cut by a kill in the middle of a write is not a record: the next start takes it away.
  return text.split('\n').slice(0, -1).map(Number);
}

async function savedLine(folder: Folder): Promise<number> {
  const text = await readFile(folder.of('offset'), 'utf8').catch(() => '{"line":1}');
  return (JSON.parse(text) as FileOffset).line;
}

/** Starts a copy that does at most so many lines before it waits for its end. */
async function bench(folder: Folder, count: number): Promise<(most?: number) => Child> {
  const program = await childProgram(COPY);
  await folder.write('from', numbers(count).join('\n'));
  return (most = Infinity) => program.start(folder.of('from'), folder.of('to'), folder.of('offset'), String(most));
}

describe('a file copied by a process that is killed again and again', () => {
  it('has every line, and each kill repeats at most credit + commitEvery of them (SHU-08, F15)', async () => {
    const count = 8_000;
    await using folder = await temporaryFolder();
    const start = await bench(folder, count);
    const random = seededRandom(20_260_101);
    let kills = 0;
    let repeated = 0;
    for (; kills < 30; kills += 1) {
      const child = start(250);
      await child.says('at work');
      await new Promise((resolve) => setTimeout(resolve, random() * 60));
      child.process.kill('SIGKILL');
      expect(await child.ended).toBe('SIGKILL');
      const there = await copied(folder);
      const line = await savedLine(folder);
      const distinct = new Set(there);
      for (let before = 1; before < line; before += 1) expect(distinct.has(before), `line ${before}`).toBe(true);
      const again = [...distinct].filter((number) => number >= line).length;
      expect(again).toBeLessThanOrEqual(CREDIT + COMMIT_EVERY);
      repeated += again;
    }
    const last = start();
    expect(await last.ended).toBe(0);
    expect(last.said).toContain('done');
    const there = await copied(folder);
    expect(new Set(there)).toEqual(new Set(numbers(count).map(Number)));
    expect(there.length - count).toBeLessThanOrEqual(repeated);
    expect(repeated).toBeGreaterThan(0);
  });

  it('has every line once when it is asked to stop (SHU-02, F16)', async () => {
    const count = 4_000;
    await using folder = await temporaryFolder();
    const start = await bench(folder, count);
    for (let stops = 0; stops < 8; stops += 1) {
      const child = start(400);
      await child.says('at work');
      child.process.kill('SIGTERM');
      expect(await child.ended, child.said).toBe(0);
      expect(child.said).toContain('unfinished 0');
    }
    expect(await start().ended).toBe(0);
    const there = await copied(folder);
    expect(there).toHaveLength(count);
    expect(new Set(there).size).toBe(count);
  });
});
