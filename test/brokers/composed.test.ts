import { chmod, readFile, writeFile } from 'node:fs/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { temporaryFolder, type Folder } from '../helpers/folder.js';
import { until } from '../helpers/until.js';
import { composed } from './composed.js';

/**
 * A stand-in for docker: `up` runs a process of its own group as the container until a signal reaches that, and each call is
 * noted. It shows that the right orders are given; not that an engine follows them.
 */
const DOCKER = `#!/usr/bin/env bash
cd "$(dirname "$0")"
[[ $* == 'compose version' ]] || [[ $1 == info ]] || echo "$*" >>calls
case "$2" in
  version) [[ ! -e without-compose ]] ;;
  up)
    [[ -n $MOSQUITTO_PORT && -f $COMPOSE_FILE && $COMPOSE_PROJECT_NAME == sluice-tests-$MOSQUITTO_PORT ]] || exit 9
    set -m
    sleep 1000 &
    set +m
    echo $! >container
    wait $!
    ;;
  kill) kill -s "$4" "$(<container)" ;;
  stop | down) kill "$(<container)" ;;
  pause) kill -s STOP "$(<container)" ;;
  unpause) kill -s CONT "$(<container)" ;;
  *) [[ ! -e without-engine ]] ;;
esac
`;

async function docker(folder: Folder): Promise<void> {
  await folder.write('docker', DOCKER);
  await chmod(folder.of('docker'), 0o755);
  vi.stubEnv('PATH', `${folder.path}:${process.env['PATH'] ?? ''}`);
}

const calls = async (folder: Folder): Promise<string[]> => (await folder.read('calls')).trim().split('\n');

function mosquitto(folder: Folder): ReturnType<ReturnType<typeof composed>> {
  const ready = async (): Promise<void> => {
    const pid = Number(await readFile(folder.of('container'), 'utf8'));
    process.kill(pid, 0);
  };
  return composed({ service: 'mosquitto', urlOf: (port) => `mqtt://127.0.0.1:${port}`, ready })();
}

describe('a broker in Docker', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('is not there without Compose or an engine', async () => {
    await using folder = await temporaryFolder();
    await docker(folder);
    await writeFile(folder.of('without-engine'), '');
    expect(await mosquitto(folder)).toBe('no Docker engine answers');
    await writeFile(folder.of('without-compose'), '');
    expect(await mosquitto(folder)).toBe('docker has no Compose');
  });

  it('is started, held, killed, started and taken away by orders to its container', async () => {
    await using folder = await temporaryFolder();
    await docker(folder);
    const found = await mosquitto(folder);
    if (typeof found === 'string') throw new Error(found);
    const broker = await found.open();
    expect(broker).toMatchObject({ isOwn: true, url: `mqtt://127.0.0.1:${broker.port}` });
    await broker.kill('SIGSTOP');
    await broker.kill('SIGCONT');
    await broker.kill();
    await broker.start();
    await broker.stop();
    await broker.start();
    await broker.close();
    await until(async () => expect((await calls(folder)).at(-1)).toContain('down'));
    expect((await calls(folder)).map((call) => call.replace(/^compose /, ''))).toEqual([
      'up --no-log-prefix mosquitto',
      'pause',
      'unpause',
      'unpause',
      'kill -s KILL',
      'up --no-log-prefix mosquitto',
      'stop',
      'up --no-log-prefix mosquitto',
      'down --volumes --timeout 0',
    ]);
  });
});
