import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { BrokerMissing, type Broker } from './broker.js';
import { findCommand } from './find-command.js';
import { freePort } from './free-port.js';
import { ownBroker } from './own-broker.js';
import { someoneElses } from './someone-elses.js';

/**
 * A Mosquitto for a test, for MQTT 3.1.1 and 5: that of `TEST_MQTT_URL`, or one of its own. Its own keeps any number of
 * messages for sessions that are away, and writes them down at each change: the most that this broker can promise.
 *
 * @throws BrokerMissing when neither is to be had
 */
export async function mosquitto(): Promise<Broker> {
  const there = someoneElses('Mosquitto', 'TEST_MQTT_URL');
  if (there !== undefined) return there;
  const server = findCommand('mosquitto');
  if (server === undefined) {
    throw new BrokerMissing('Mosquitto: TEST_MQTT_URL is not set, and mosquitto is not installed');
  }
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
  ];
  // As root it would become another user, who may not write here.
  if (process.getuid?.() === 0) config.push('user root');
  await writeFile(join(folder, 'mosquitto.conf'), `${config.join('\n')}\n`);
  const url = `mqtt://127.0.0.1:${port}`;
  return ownBroker({
    name: 'Mosquitto',
    command: [server, '-c', join(folder, 'mosquitto.conf')],
    folder,
    port,
    url,
    ready: async () => (await connectAsync(url, { reconnectPeriod: 0 }, false)).endAsync(),
  });
}
