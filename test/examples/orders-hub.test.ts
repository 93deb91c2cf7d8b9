import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { configFor } from '../../examples/orders-hub/config.js';
import { generateOrders } from '../../examples/orders-hub/generate-orders.js';
import { startHub, type Hub } from '../../examples/orders-hub/hub.js';
import { LOCK, lockFolder } from '../../examples/orders-hub/lock-folder.js';
import { commandLine } from '../../examples/orders-hub/options.js';
import { accountOf, showHub } from '../../examples/orders-hub/view.js';
import { childProgram } from '../helpers/child-program.js';
import { until } from '../helpers/until.js';

const MAIN = fileURLToPath(new URL('../../examples/orders-hub/main.ts', import.meta.url));
const program = await childProgram(`import './examples/orders-hub/main.ts';`);
const CONFIG = fileURLToPath(new URL('../../examples/orders-hub/configs/orders.json', import.meta.url));
const RETAIL = fileURLToPath(new URL('../../../shared/data/online-retail-10k.csv', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'orders-hub-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly said: string;
}

/** Runs the hub as a user would, without a terminal; `when` may stop it on what it has said so far. */
function hub(
  input: string,
  state: string,
  when?: (said: string, child: ChildProcess) => void,
  ...more: readonly string[]
): Promise<Ended> {
  return ended(program.start('--input', input, '--state', state, ...more).process, when);
}

function ended(child: ChildProcess, when?: (said: string, child: ChildProcess) => void): Promise<Ended> {
  return new Promise((resolve) => {
    let said = '';
    const hear = (chunk: Uint8Array): void => {
      said += String(chunk);
      when?.(said, child);
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
    child.once('close', (code) => resolve({ code, said }));
  });
}

/** The numbers of the closing table. */
function account(said: string): Record<string, number> {
  const rows = [...said.matchAll(/│ (read|delivered|filtered|dead|handed back|missing) +│ +(\d+) │/g)];
  return Object.fromEntries(rows.map(([, name, count]): [string, number] => [String(name), Number(count)]));
}

function records<T>(file: string): T[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line): T => JSON.parse(line) as T);
}

interface Result {
  readonly id: string;
  readonly customer: string;
  readonly amount: number;
  readonly priority: string;
  readonly row: number;
}

describe('the orders hub', { timeout: 120_000 }, () => {
  it('accounts for every row, classifies by amount, keeps order per customer and dead letters with line and reason', async () => {
    const input = join(folder, 'orders.csv');
    const state = join(folder, 'whole');
    await generateOrders(input, 4_000);
    const { code, said } = await hub(input, state);
    const counts = account(said);
    expect(code, said).toBe(0);
    expect(counts).toMatchObject({ read: 4_000, dead: 10, missing: 0 });
    expect(counts['read']).toBe((counts['delivered'] ?? 0) + (counts['filtered'] ?? 0) + (counts['dead'] ?? 0));
    const results = records<Result>(join(state, 'orders.ndjson'));
    expect(results).toHaveLength(counts['delivered'] ?? -1);
    for (const { amount, priority } of results) {
      expect(amount).toBeGreaterThan(50);
      expect(priority).toBe(amount > 1_000 ? 'HIGH' : amount > 100 ? 'MEDIUM' : 'LOW');
    }
    const last = new Map<string, number>();
    for (const { customer, row } of results) {
      expect(row).toBeGreaterThan(last.get(customer) ?? 0);
      last.set(customer, row);
    }
    const dead = records<{ line: number; reason: string; raw: unknown }>(join(state, 'dead-letters.ndjson'));
    expect(dead).toHaveLength(10);
    for (const { line, reason } of dead) {
      expect(line).toBeGreaterThan(1);
      expect(reason).not.toBe('');
    }
    const again = await hub(input, state);
    expect(account(again.said)).toMatchObject({ read: 0, missing: 0 });
    expect(again.said).toContain('No row was left to do');
  });

  it('sends every row that is written to its clients, and is not held up by one that is slow', async () => {
    const input = join(folder, 'live.csv');
    await generateOrders(input, 20_000, 5);
    const config = await configFor(input, undefined);
    const live = await startHub({ input, state: join(folder, 'live'), fresh: true, config });
    onTestFinished(() => live.close());
    await live.running.done;
    const written = live.running.health().sinks[0]?.confirmed ?? 0;
    const received = (): number[] => live.clients.map((client) => client.received());
    await until(() => expect(received().slice(0, 2)).toEqual([written, written]));
    const [, , slow = 0] = received();
    expect([slow > 0, slow < written]).toEqual([true, true]);
  });

  it('drains on Ctrl-C, says what it handed back, and goes on from there: no row is lost (F16, SHU-02)', async () => {
    const rows = 100_000;
    const input = join(folder, 'interrupted.csv');
    const state = join(folder, 'interrupted');
    await generateOrders(input, rows, 11);
    let interrupted: Promise<unknown> | undefined;
    const first = await hub(input, state, (said, child) => {
      if (!said.includes('Writing')) return;
      // In the middle of its work: something is written, and most is not.
      interrupted ??= until(() => {
        expect(statSync(join(state, 'orders.ndjson')).size).toBeGreaterThan(0);
        child.kill('SIGINT');
      });
    });
    await interrupted;
    expect(first.said).toContain('SIGINT: draining');
    expect(first.said).toMatch(/Stopped\. \d+ rows were handed back/);
    const before = account(first.said);
    expect(before['delivered']).toBeGreaterThan(0);
    expect(before['read']).toBeLessThan(rows / 2);
    const second = await hub(input, state);
    const after = account(second.said);
    expect(after['missing']).toBe(0);
    expect((before['read'] ?? 0) - (before['handed back'] ?? 0) + (after['read'] ?? 0)).toBe(rows);
    const ids = records<Result>(join(state, 'orders.ndjson')).map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toHaveLength((before['delivered'] ?? 0) + (after['delivered'] ?? 0));
  });

  it('drains also when Ctrl-C ends whoever reads what it says, as in a pipe (F16, SHU-02)', async () => {
    const input = join(folder, 'piped.csv');
    const state = join(folder, 'piped');
    await generateOrders(input, 20_000, 13);
    const first = await hub(input, state, (said, child) => {
      if (!said.includes('Writing') || child.stdout?.destroyed === true) return;
      child.stdout?.destroy();
      child.kill('SIGINT');
    });
    expect(first).toMatchObject({ code: 0 });
    const before = records<Result>(join(state, 'orders.ndjson')).length;
    const after = account((await hub(input, state)).said);
    const rows = records<Result>(join(state, 'orders.ndjson')).map(({ row }) => row);
    expect([rows.length, new Set(rows).size]).toEqual([before + (after['delivered'] ?? 0), rows.length]);
    expect(after['missing']).toBe(0);
  });

  it('leaves a folder alone that another hub is at work in, also when it is to begin anew', async () => {
    const input = join(folder, 'shared.csv');
    const state = join(folder, 'shared');
    await generateOrders(input, 20_000, 17);
    let others: Promise<Ended[]> | undefined;
    const first = await hub(input, state, (said, child) => {
      if (!said.includes('Writing') || others !== undefined) return;
      // It keeps the folder for as long as it takes to show it.
      child.kill('SIGSTOP');
      others = Promise.all([hub(input, state), hub(input, state, undefined, '--fresh')]);
      void others.then(() => child.kill('SIGCONT'));
    });
    for (const { code, said } of (await others) ?? []) {
      expect(said).toMatch(/^npm start: process \d+ is at work in .*shared\. Stop it, or give .* --state\.[^\n]+\n$/);
      expect(code).toBe(1);
    }
    expect(account(first.said)).toMatchObject({ read: 20_000, missing: 0 });
    expect(existsSync(join(state, 'lock'))).toBe(false);
  });

  it('takes over the folder of a hub that was killed', async () => {
    const input = join(folder, 'killed.csv');
    const state = join(folder, 'killed');
    await generateOrders(input, 2_000, 19);
    let killed: number | undefined;
    await hub(input, state, (said, child) => {
      if (!said.includes('Writing') || killed !== undefined) return;
      killed = child.pid;
      child.kill('SIGKILL');
    });
    expect(readFileSync(join(state, 'lock'), 'utf8')).toBe(String(killed));
    const next = await hub(input, state);
    expect(next.code, next.said).toBe(0);
    expect(account(next.said)).toMatchObject({ missing: 0 });
    expect(existsSync(join(state, 'lock'))).toBe(false);
  });

  it('leaves a folder alone that another hub of the same process is at work in, by whatever name', () => {
    const mine = join(folder, 'mine');
    const release = lockFolder(mine);
    symlinkSync(mine, join(folder, 'also-mine'));
    for (const name of ['mine', 'also-mine']) {
      expect(() => lockFolder(join(folder, name))).toThrow(`process ${process.pid} is at work in`);
    }
    expect(readFileSync(join(mine, LOCK), 'utf8')).toBe(String(process.pid));
    release();
    const releaseNext = lockFolder(mine);
    release();
    expect(existsSync(join(mine, LOCK))).toBe(true);
    releaseNext();
    expect(readdirSync(mine)).toEqual([]);
  });

  it('takes over a folder whose lock has the number of this process from an earlier life', () => {
    const path = join(folder, LOCK);
    writeFileSync(path, String(process.pid));
    lockFolder(folder)();
    expect(existsSync(path)).toBe(false);
  });

  it.each(['', 'x', '-1', '1.5'])('takes over a folder whose lock names no process: %j', (text) => {
    const path = join(folder, LOCK);
    writeFileSync(path, text);
    const release = lockFolder(folder);
    expect(readFileSync(path, 'utf8')).toBe(String(process.pid));
    release();
    expect(existsSync(path)).toBe(false);
  });

  it('waits for room on a full disk, says so, and makes no dead letter of a row for that (F8)', async () => {
    const input = join(folder, 'full.csv');
    const state = join(folder, 'full');
    await generateOrders(input, 5_000, 17);
    // No file may grow beyond it: to a program that is a full disk.
    const limited = ['-c', 'ulimit -f 80; exec "$0" --import tsx "$@"', process.execPath, MAIN];
    let at = 0;
    const first = await ended(spawn('sh', [...limited, '--input', input, '--state', state]), (said, child) => {
      // Once it has looked for room again.
      if (at === 0 && said.includes('no room left')) at = said.length;
      if (at > 0 && said.slice(at).includes('rows |')) child.kill('SIGKILL');
    });
    expect(first.said).toContain(`orders.ndjson' has no room left: free space on its disk.`);
    const second = await hub(input, state);
    expect(account(second.said)['missing']).toBe(0);
    const dead = records<{ readonly code: string; readonly line: number }>(join(state, 'dead-letters.ndjson'));
    expect(dead.filter(({ code }) => code === 'FILE_FULL')).toEqual([]);
    const done = new Set(records<Result>(join(state, 'orders.ndjson')).map(({ row }) => row));
    const whole = await hub(input, join(folder, 'not-full'));
    expect(done.size).toBe(account(whole.said)['delivered']);
  });

  it('counts as delivered what is on disk, and the rest as handed back', () => {
    const counts = { emitted: 12, acked: 10, dead: 0, dropped: 0 };
    const stopped = {
      running: { health: () => ({ sources: [{ counts }], sinks: [{ confirmed: 7 }] }) },
      tally: { filtered: 1, dead: 2 },
    } as unknown as Hub;
    const { text, balanced } = accountOf(stopped);
    expect(balanced).toBe(true);
    expect(account(text)).toEqual({ read: 12, delivered: 7, filtered: 1, dead: 2, 'handed back': 2, missing: 0 });
  });

  it.each([
    [100, /^┌─+┬─+┐$/m],
    [30, /^rows read: 12$/m],
  ])('draws no line that is wider than a terminal of %i columns', (columns, expected) => {
    const drawn: string[] = [];
    const write = (text: string): boolean => drawn.push(text) > 0;
    const terminal = { isTTY: true, columns, rows: 24, write, on: () => terminal } as unknown as NodeJS.WriteStream;
    const counts = { emitted: 12, acked: 10, dead: 0, dropped: 0 };
    const hubAtWork = {
      running: { health: () => ({ sources: [{ counts, unsettled: 2, credit: 8 }], sinks: [{ confirmed: 3 }] }) },
      tally: { filtered: 1, dead: 2, branches: { HIGH: 4 }, missed: 5 },
      clients: [{ name: 'slow', received: () => 6 }],
    } as unknown as Hub;
    const view = showHub(hubAtWork, terminal);
    view.note('draining');
    view.hide();
    const lines = stripVTControlCharacters(drawn.join('')).split('\n');
    expect(lines.join('\n')).toMatch(expected);
    expect(lines.filter((line) => line.length > columns)).toEqual([]);
  });

  it('accounts for every row of real transactions', async (context) => {
    if (!existsSync(RETAIL)) context.skip('the data set is not beside the project');
    const state = join(folder, 'retail');
    const { code, said } = await hub(RETAIL, state);
    const counts = account(said);
    expect(code, said).toBe(0);
    expect(counts['missing']).toBe(0);
    // Records, not lines: no description of this file holds a line break.
    const rows = readFileSync(RETAIL, 'utf8').trimEnd().split('\n').length - 1;
    expect(counts['read']).toBe(rows);
    const results = records<Result>(join(state, 'orders.ndjson'));
    expect(results).toHaveLength(counts['delivered'] ?? -1);
    expect(results.some(({ customer }) => customer === 'guest')).toBe(true);
  });

  it('begins anew without what it wrote, and leaves all else in the folder', async () => {
    const input = join(folder, 'fresh.csv');
    const state = join(folder, 'fresh');
    await generateOrders(input, 100, 19);
    await hub(input, state);
    writeFileSync(join(state, 'letter.txt'), 'of somebody');
    const again = await hub(input, state, undefined, '--fresh');
    expect(account(again.said)).toMatchObject({ read: 100, missing: 0 });
    expect(records(join(state, 'orders.ndjson'))).toHaveLength(account(again.said)['delivered'] ?? NaN);
    expect(readFileSync(join(state, 'letter.txt'), 'utf8')).toBe('of somebody');
  });

  it('keeps what belongs to files of one name apart', () => {
    const stateOf = (...args: string[]): string | undefined => commandLine(args)?.state;
    const states = [stateOf(), stateOf('--input', '/a/orders.csv'), stateOf('--input', '/b/orders.csv')];
    expect(new Set(states).size).toBe(3);
    expect(stateOf('--input', '/b/../a/orders.csv')).toBe(states[1]);
  });

  it('makes whole orders when two begin at once', async () => {
    const path = join(folder, 'twice.csv');
    await Promise.all([generateOrders(path, 20_000, 23), generateOrders(path, 20_000, 23)]);
    await generateOrders(join(folder, 'once.csv'), 20_000, 23);
    expect(readFileSync(path, 'utf8')).toBe(readFileSync(join(folder, 'once.csv'), 'utf8'));
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  it('refuses a pipe at once, instead of waiting for who writes to it', async () => {
    const pipe = join(folder, 'pipe.csv');
    execFileSync('mkfifo', [pipe]);
    await expect(configFor(pipe, undefined)).rejects.toThrow(`pipe.csv cannot be read: it is a pipe`);
  });

  it('says in one line what is wrong with what it was told, and ends with 1', async () => {
    const state = join(folder, 'none');
    const { code, said } = await hub(join(folder, 'none.csv'), state);
    expect(said).toMatch(/^npm start: .*none\.csv cannot be read: ENOENT[^\n]+\n$/);
    expect([code, existsSync(state)]).toEqual([1, false]);
  });

  it.each([
    ['--rows', 'many', '--rows has to be a whole number from 1, not many'],
    ['--inptu', 'a.csv', `Unknown option '--inptu'. npm start -- --help lists what there is`],
    ['a.csv', '', `Unexpected argument 'a.csv'. npm start -- --help lists what there is`],
  ])('does not take %s %s', (name, value, text) => {
    expect(() => commandLine([name, value].filter(Boolean))).toThrow(new Error(text));
  });

  it.each([
    ['a file that is empty', '', undefined, /is empty/],
    ['columns that no config has', 'a,b\n1,2\n', undefined, /no config has the columns "a,b"\./],
    ['what a terminal would obey', '\u001B[2J,b\n', undefined, /no config has the columns "\\u001b\[2J,b"\./],
    [
      'columns that the config does not have',
      'a,b\n1,2\n',
      readFileSync(CONFIG, 'utf8'),
      /no column order_id, customer/,
    ],
    ['a config that is half there', 'a,b\n', '{', /config\.json cannot be read/],
    ['a config without what it needs', 'a,b\n', '{"columns":{}}', /config\.json is not complete: 'id'/],
  ])('says what is wrong with %s', async (_, content, config, text) => {
    const input = join(folder, 'input.csv');
    writeFileSync(input, content);
    const named = config === undefined ? undefined : join(folder, 'config.json');
    if (named !== undefined) writeFileSync(named, config as string);
    await expect(configFor(input, named)).rejects.toThrow(text);
  });
});
