import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { dockerStandIn } from '../helpers/docker-stand-in.js';
import { temporaryFolder, type Folder } from '../helpers/folder.js';
import { until } from '../helpers/until.js';
import { BrokerMissing } from './broker.js';
import { composed, type ComposedBroker, type Prepared } from './composed.js';

const UP = 'up --pull never --no-log-prefix mosquitto';
const DOWN = 'down --volumes --timeout 0';

const calls = async (folder: Folder): Promise<string[]> => (await folder.read('calls')).trim().split('\n');

const runs = async (folder: Folder): Promise<void> =>
  void process.kill(Number(await readFile(folder.of('container'), 'utf8')), 0);

async function mosquitto(folder: Folder, changed: Partial<Prepared<ComposedBroker>> = {}): Promise<ComposedBroker> {
  const found = await composed<ComposedBroker>('mosquitto', async (port) => ({
    url: `mqtt://127.0.0.1:${port}`,
    ready: () => runs(folder),
    opened: (broker) => broker,
    ...changed,
  }))();
  if (typeof found === 'string') throw new Error(found);
  return found.open();
}

describe('a broker in Docker', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('is not there without Compose or an engine', async () => {
    await using folder = await temporaryFolder();
    await dockerStandIn(folder);
    await writeFile(folder.of('without-engine'), '');
    await expect(mosquitto(folder)).rejects.toThrow('no Docker engine answers');
    await writeFile(folder.of('without-compose'), '');
    await expect(mosquitto(folder)).rejects.toThrow('docker has no Compose');
  });

  it('is missing without its image, and says why', async () => {
    await using folder = await temporaryFolder();
    await dockerStandIn(folder);
    await writeFile(folder.of('without-image'), '');
    const opening = mosquitto(folder);
    await expect(opening).rejects.toBeInstanceOf(BrokerMissing);
    await expect(opening).rejects.toThrow(/^The image of mosquitto did not come.[^]*no such image/);
  });

  it('is started, held, killed, started and taken away by orders to its container', async () => {
    await using folder = await temporaryFolder();
    await dockerStandIn(folder);
    const broker = await mosquitto(folder);
    expect(broker).toMatchObject({ isOwn: true, url: `mqtt://127.0.0.1:${broker.port}` });
    await broker.kill('SIGSTOP');
    await broker.kill('SIGCONT');
    await broker.kill();
    await broker.start();
    await broker.stop();
    await broker.start();
    await broker.close();
    const [pull, ...others] = await calls(folder);
    expect(pull).toBe('pull --quiet --policy missing mosquitto');
    // How often it is taken away depends on when the last `up` has ended.
    expect([...new Set(others.slice(others.indexOf(DOWN)))]).toEqual([DOWN]);
    expect(others.slice(0, others.indexOf(DOWN))).toEqual([
      UP,
      'pause',
      'unpause',
      'unpause',
      'kill -s KILL',
      UP,
      'stop --timeout 30',
      UP,
    ]);
    await expect(runs(folder)).rejects.toThrow('ESRCH');
  });

  it('has what it was prepared with, takes orders, and is made into what it was prepared for', async () => {
    await using folder = await temporaryFolder();
    await dockerStandIn(folder);
    const environment = { WORD: '$1' };
    const opened: Prepared<ComposedBroker>['opened'] = (broker) => ({ ...broker, url: 'changed' });
    await using broker = await mosquitto(folder, { parts: { environment }, opened });
    expect(JSON.parse(await folder.read('added'))).toEqual({
      services: { mosquitto: { environment: { WORD: '$$1' } } },
    });
    expect(await broker.exec('tool', 'word')).toBe('said by mosquitto tool word\n');
    expect(broker.url).toBe('changed');
  });

  it('is taken away when it cannot be made into that', async () => {
    await using folder = await temporaryFolder();
    await dockerStandIn(folder);
    const opened: Prepared<ComposedBroker>['opened'] = () => Promise.reject(new Error('no tool'));
    await expect(mosquitto(folder, { opened })).rejects.toThrow('no tool');
    await expect(runs(folder)).rejects.toThrow('ESRCH');
  });

  it('leaves no container when the test is killed while an engine is still making it', async () => {
    await using folder = await temporaryFolder();
    await dockerStandIn(folder);
    await writeFile(folder.of('slow'), '');
    const program = `
      const { composed } = await import('./test/brokers/composed.ts');
      const ready = () => Promise.reject(new Error('not yet'));
      const found = await composed('mosquitto', async () => ({ url: '', ready, opened: (broker) => broker }))();
      await found.open();`;
    const args = ['--import', 'tsx', '--input-type=module', '-e', program];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    const own = dirname((await until(() => folder.read('file'))).trim());
    child.kill('SIGKILL');
    // Its own folder goes last.
    await until(() => expect(existsSync(own)).toBe(false));
    await expect(runs(folder)).rejects.toThrow('ESRCH');
  });

  it('gives up when there is no engine any more to take it away', async () => {
    await using folder = await temporaryFolder();
    await dockerStandIn(folder);
    const broker = await mosquitto(folder);
    await writeFile(folder.of('without-engine'), '');
    await broker.close();
    expect((await calls(folder)).filter((call) => call === DOWN)).toHaveLength(20);
    process.kill(Number(await folder.read('container')));
  });
});
