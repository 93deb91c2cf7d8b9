import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import type { Broker, Found } from './broker.js';
import { composed } from './composed.js';
import { environment } from './environment.js';
import { findBroker } from './find-broker.js';
import { findCommand } from './find-command.js';
import { freePort } from './free-port.js';
import { mosquittoParts } from './mosquitto-parts.js';
import { ownBroker } from './own-broker.js';

const urlOf = (port: number): string => `mqtt://127.0.0.1:${port}`;

async function ready(port: number): Promise<void> {
  await (await connectAsync(urlOf(port), { reconnectPeriod: 0 }, false)).endAsync();
}

/**
 * A Mosquitto for a test, for MQTT 3.1.1 and 5: that of `TEST_MQTT_URL`, or one of its own. Its own keeps any number of
 * messages for sessions that are away, and writes them down at each change: the most that this broker can promise.
 *
 * @param settings further lines of the configuration of its own one
 * @throws BrokerMissing when there is none, or it does not start
 */
export async function mosquitto(settings: readonly string[] = []): Promise<Broker> {
  return (await findMosquitto(settings)).open();
}

/** Which one {@link mosquitto} gives. */
export function findMosquitto(settings: readonly string[] = []): Promise<Found> {
  const inDocker = composed('mosquitto', async (port) => ({
    url: urlOf(port),
    ready: () => ready(port),
    parts: mosquittoParts(settings),
    opened: (broker) => broker,
  }));
  return findBroker('Mosquitto', [environment('TEST_MQTT_URL'), () => installed(settings), inDocker]);
}

async function installed(settings: readonly string[]): Promise<Found | string> {
  const server = findCommand('mosquitto');
  return server === undefined
    ? 'mosquitto is not installed'
    : { how: 'installed', open: () => start(server, settings) };
}

async function start(server: string, settings: readonly string[]): Promise<Broker> {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), 'sluice-mosquitto-'));
  const config = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'set_tcp_nodelay true',
    'persistence true',
    `persistence_location ${folder}/`,
    'autosave_on_changes true',
    'autosave_interval 1',
    'max_queued_messages 0',
    ...settings,
  ];
  // As root it would become another user, who may not write here.
  if (process.getuid?.() === 0) config.push('user root');
  await writeFile(join(folder, 'mosquitto.conf'), `${config.join('\n')}\n`);
  return ownBroker({
    name: 'Mosquitto',
    command: [server, '-c', join(folder, 'mosquitto.conf')],
    folder,
    port,
    url: urlOf(port),
    ready: () => ready(port),
  });
}
