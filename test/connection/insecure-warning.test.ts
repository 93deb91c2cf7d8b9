import { describe, expect, it } from 'vitest';
import { type Flow, observe, type SluiceEvent } from 'sluice';
import { amqpLink, amqpSource } from 'sluice/amqp';
import { kafkaLink, kafkaSource } from 'sluice/kafka';
import { mqttLink, mqttSource } from 'sluice/mqtt';
import { webSocket, webSocketLink } from 'sluice/websocket';
import { insecureWarning } from '../../src/connection/insecure-warning.js';
import { KAFKA_DRIVERS } from '../helpers/kafka-drivers.js';
import { until } from '../helpers/until.js';

const WAY = { isSecure: false, hosts: ['localhost', 'far'], dangerouslyAllowPlainText: undefined };

function heard(): { readonly events: SluiceEvent[]; readonly stop: () => void } {
  const events: SluiceEvent[] = [];
  return { events, stop: observe((event) => void events.push(event)) };
}

describe('messages that cross a network in the clear (S13)', () => {
  it('are told once for a link', () => {
    const { events, stop } = heard();
    const warn = insecureWarning('some');
    for (let times = 0; times < 3; times += 1) warn(WAY);
    stop();
    expect(events).toEqual([{ type: 'connection.insecure', connector: 'some', host: 'far', cause: 'plaintext' }]);
  });

  it.each([{ isSecure: true }, { dangerouslyAllowPlainText: true }, { hosts: ['localhost', '::1', '127.0.0.2'] }])(
    'are not there, or may be: %j',
    (change) => {
      const { events, stop } = heard();
      insecureWarning('some')({ ...WAY, ...change });
      stop();
      expect(events).toEqual([]);
    },
  );

  it('are told of as well where they go to anybody', async () => {
    const { events, stop } = heard();
    const tls = { dangerouslySkipVerify: true };
    const link = webSocketLink({ url: 'wss://broker.invalid', client: 'ws', tls });
    const subscription = webSocket(link).source.subscribe();
    await until(() => expect(events.some(({ type }) => type === 'connect.failed')).toBe(true));
    subscription.unsubscribe();
    stop();
    const told = { type: 'connection.insecure', connector: 'websocket', host: 'broker.invalid', cause: 'unverified' };
    expect(events).toContainEqual(told);
  });

  // Names under `.invalid` are nobody's.
  const host = 'broker.invalid';
  const flows: Record<string, (more: { readonly dangerouslyAllowPlainText?: true }) => Flow<Uint8Array>> = {
    amqp: (more) => amqpSource(amqpLink({ url: `amqp://${host}`, ...more }), { queue: 'q' }),
    mqtt: (more) => mqttSource(mqttLink({ url: `mqtt://${host}`, ...more }), { topics: 't' }),
    websocket: (more) => webSocket(webSocketLink({ url: `ws://${host}`, client: 'ws', ...more })).source as never,
  };
  for (const driver of KAFKA_DRIVERS)
    flows[`kafka over ${driver}`] = (more) =>
      kafkaSource(kafkaLink({ brokers: [`${host}:9092`], driver, ...more }), { topics: ['t'], group: 'g' });

  it.each(Object.keys(flows))('are told by a link of %s, unless the user said that they may be', async (name) => {
    const { events, stop } = heard();
    const told = (): unknown[] => events.filter(({ type }) => type === 'connection.insecure');
    const failed = (): number => events.filter(({ type }) => type === 'connect.failed').length;
    const open = async (more: { readonly dangerouslyAllowPlainText?: true }): Promise<void> => {
      const before = failed();
      const subscription = flows[name]?.(more).subscribe();
      await until(() => expect(failed()).toBeGreaterThan(before), 20_000);
      subscription?.unsubscribe();
    };
    try {
      await open({ dangerouslyAllowPlainText: true });
      expect(told()).toEqual([]);
      await open({});
      expect(told()).toEqual([
        { type: 'connection.insecure', connector: name.split(' ')[0], host, cause: 'plaintext' },
      ]);
    } finally {
      stop();
    }
  });
});
