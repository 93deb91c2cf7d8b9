import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { until } from '../helpers/until.js';
import { ownBroker, type Launch } from './own-broker.js';

/** A stand-in for a broker: a process and its helper. Its folder tells how often it was started. */
const STAND_IN = 'echo up >>"$BROKER_FOLDER/ups"; sleep 1000 & exec sleep 1000';

async function standIn(script = STAND_IN): Promise<Launch> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-stand-in-'));
  const ready = async (): Promise<void> => {
    if (running(folder).length < 2) throw new Error('It is not up yet.');
  };
  return { name: 'A stand-in', command: ['sh', '-c', script], folder, port: 0, url: '', ready };
}

/** What runs with this folder, beside what watches over it. */
function running(folder: string, but: readonly string[] = ['bash', 'sh']): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const isOfIt = readFileSync(`/proc/${pid}/environ`, 'latin1').includes(folder);
        return isOfIt ? [readFileSync(`/proc/${pid}/comm`, 'utf8').trim()] : [];
      } catch {
        return []; // it has just ended
      }
    })
    .filter((name) => !but.includes(name));
}

describe('a broker of a test', () => {
  beforeEach((context) => {
    if (process.platform !== 'linux') context.skip('processes are looked up in /proc');
  });

  it('is killed with its helpers, and starts again in the same folder', async () => {
    const launch = await standIn();
    await using broker = await ownBroker(launch);
    expect(running(launch.folder)).toEqual(['sleep', 'sleep']);
    await broker.kill();
    expect(running(launch.folder)).toEqual([]);
    await broker.start();
    expect(running(launch.folder)).toEqual(['sleep', 'sleep']);
    expect(readFileSync(join(launch.folder, 'ups'), 'utf8')).toBe('up\nup\n');
  });

  it('has not ended while it is only held, and can be killed then', async () => {
    const launch = await standIn();
    await using broker = await ownBroker(launch);
    await broker.kill('SIGSTOP');
    await broker.start();
    expect(readFileSync(join(launch.folder, 'ups'), 'utf8')).toBe('up\n');
    await broker.kill('SIGKILL');
    expect(running(launch.folder)).toEqual([]);
  });

  it('leaves no process and no folder when it is closed', async () => {
    const launch = await standIn();
    const broker = await ownBroker(launch);
    await broker.close();
    expect(running(launch.folder, [])).toEqual([]);
    expect(existsSync(launch.folder)).toBe(false);
  });

  it('says what it said when it does not start, and leaves nothing', async () => {
    const launch = await standIn('echo no licence; exit 3');
    await expect(ownBroker(launch)).rejects.toThrow(/^A stand-in did not start\..*ended with 3[^]*no licence/);
    expect(existsSync(launch.folder)).toBe(false);
  });

  it.each(['up', 'killed', 'held', 'starting'])(
    'leaves nothing when the test is killed while it is %s',
    async (how) => {
      const launch = await standIn();
      const program = `
      const { ownBroker } = await import('./test/brokers/own-broker.ts');
      const [folder, script, how] = process.argv.slice(1);
      const ready = how === 'starting' ? () => (console.log('there'), Promise.reject(new Error('not yet'))) : async () => {};
      const broker = await ownBroker({ name: 'x', command: ['sh', '-c', script], folder, port: 0, url: '', ready });
      if (how === 'killed') await broker.kill();
      if (how === 'held') await broker.kill('SIGSTOP');
      console.log('there');`;
      const args = ['--import', 'tsx', '--input-type=module', '-e', program, launch.folder, STAND_IN, how];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(child.stdout, 'data');
      child.kill('SIGKILL');
      await until(() => expect(existsSync(launch.folder)).toBe(false));
      await until(() => expect(running(launch.folder, [])).toEqual([]));
    },
  );
});
