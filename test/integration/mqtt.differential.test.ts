import { describe } from 'vitest';
import { backoff, deadLetter } from 'sluice';
import { mqttLink, mqttSink, mqttSource, type MqttLink, type MqttLinkOptions } from 'sluice/mqtt';
import { faultProxy } from 'sluice/testing-node';
import { brokerSuite } from '../brokers/broker-suite.js';
import type { Broker } from '../brokers/broker.js';
import { mosquitto } from '../brokers/mosquitto.js';
import { compared } from '../differential/compared.js';
import type { Ability, Side } from '../differential/stage.js';
import { keptSession } from '../helpers/mqtt-session.js';

type Version = NonNullable<MqttLinkOptions['protocolVersion']>;

/** Acknowledgements go out in order: more may be out than the credit, or the window waits for the oldest. */
const receiveMaximum = 50;
const reconnect = backoff({ initialMs: 5, maxMs: 20, minMs: 1 });
let made = 0;

/** A channel is a topic and one session that reads it, whoever is in it; each writer has a link of its own. */
async function mqttSide(broker: Broker, protocolVersion: Version): Promise<Side> {
  const proxy = await faultProxy({ port: broker.port });
  const url = broker.url.replace(`:${broker.port}`, `:${proxy.port}`);
  const settings = { url, protocolVersion, reconnect };
  const sessions = new Map<string, MqttLink>();
  const withDead = new Set<string>();
  const abilities: Ability[] = ['requeue', 'attempts', 'redeliveries', 'dead letters', 'backlog', 'cut'];
  if (protocolVersion === '5') abilities.push('keys');
  const deadOf = (channel: string): string => `${channel} dead`;
  const prepare = async (channel: string): Promise<void> => {
    await keptSession(broker.url, channel, channel);
    sessions.set(channel, mqttLink({ ...settings, clientId: channel }));
  };
  return {
    name: `MQTT ${protocolVersion}`,
    abilities: new Set(abilities),
    async channel({ deadLetters = false }) {
      const channel = `differential ${(made += 1)}`;
      await prepare(channel);
      if (!deadLetters) return channel;
      await prepare(deadOf(channel));
      withDead.add(channel);
      return channel;
    },
    deadOf,
    source(channel, options) {
      const session = sessions.get(channel) as MqttLink;
      const flow = mqttSource(session, { reconnect, requeueDelayMs: 0, receiveMaximum, ...options, topics: channel });
      if (!withDead.has(channel)) return flow;
      // This broker has no dead letters of its own; their headers fit into MQTT 5 only.
      const headers = protocolVersion === '5' ? {} : ({ headers: 'drop' } as const);
      return flow.pipe(deadLetter(mqttSink(mqttLink(settings), { reconnect, topic: deadOf(channel), ...headers })));
    },
    sink: (channel, options) => mqttSink(mqttLink(settings), { reconnect, ...options, topic: channel }),
    // In order: a reset would throw away acknowledgements that the broker has not read yet.
    cut: () => proxy.fin(),
    close: () => proxy.close(),
  };
}

brokerSuite('The broker in memory beside Mosquitto', mosquitto, (broker) => {
  describe.each(['5', '3.1.1'] as const)('with MQTT %s', { concurrent: true }, (version) => {
    compared({ open: () => mqttSide(broker(), version) });
  });
});
