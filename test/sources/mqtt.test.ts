import { afterEach, describe, expect, it } from 'vitest';
import { deadLetter, isSluiceError, observe, type Message, type Sink, type SluiceEvent } from 'sluice';
import { mqttLink, mqttSource, type MqttLinkOptions, type MqttMeta, type MqttSourceOptions } from 'sluice/mqtt';
import { withScope, type SourceHandle } from '../../src/connection/scope.js';
import { consume, texts, type Consumer } from '../helpers/consume.js';
import {
  acknowledged,
  agreeing,
  connack,
  disconnect,
  mqttServer,
  publish,
  suback,
  unsuback,
  type Behaviour,
  type MqttServer,
} from '../helpers/mqtt-server.js';
import { until } from '../helpers/until.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Plan {
  readonly link?: Partial<MqttLinkOptions>;
  readonly behaviour?: Behaviour;
  readonly handle?: (message: Message<Uint8Array>) => unknown;
}

async function subscribed(
  options: Partial<MqttSourceOptions> = {},
  { link, behaviour, handle = () => undefined }: Plan = {},
) {
  const server: MqttServer = await mqttServer(behaviour);
  const events: SluiceEvent[] = [];
  cleanups.push(
    () => server.close(),
    observe((event) => void events.push(event)),
  );
  const made = mqttLink({ url: server.url, clientId: 'app', heartbeatMs: 500, ...link });
  const flow = mqttSource(made, { topics: 'orders/+', closeTimeoutMs: 200, ...options });
  const consumer: Consumer<Uint8Array> = consume(flow, handle);
  cleanups.push(() => consumer.unsubscribe());
  const isUp = (): Promise<void> =>
    until(() => expect(events.filter((event) => 'to' in event && event.to === 'connected')).toHaveLength(2));
  return { server, events, consumer, flow, link: made, isUp };
}

/** Messages with these identifiers, in one write. */
const some = (...ids: readonly number[]): Buffer[] => ids.map((id) => publish(id, 'orders/new', `m${id}`));

describe('the options of mqttSource', () => {
  const link = mqttLink({ url: 'mqtt://a', clientId: 'app' });
  const plain = mqttLink({ url: 'mqtt://a', clientId: 'app', protocolVersion: '3.1.1' });
  const nobody = mqttLink({ url: 'mqtt://a' });

  it.each([
    [link, {}, `'topics' is missing`],
    [link, { topics: [] }, 'at least one'],
    [link, { topics: ['a', 'b/#/c'] }, '# has to be its last level'],
    [link, { topics: '$share/g/a' }, `the option 'share'`],
    [link, { topics: 'a', qos: 2 }, 'QoS 2 needs a store'],
    [link, { topics: 'a', share: 'a/b' }, 'without / + and #'],
    [link, { topics: 'a', receiveMaximum: 0 }, 'from 1 to 65535'],
    [link, { topics: 'a', reciveMaximum: 1 }, `did you mean 'receiveMaximum'?`],
    [link, { topics: 'a', retained: 'sometimes' }, 'one of new, always, never'],
    [link, { topics: 'a', will: { topic: 'b' } }, `'payload' is missing`],
    [plain, { topics: 'a', sessionExpiryMs: 1 }, `'sessionExpiryMs' needs protocolVersion '5'`],
    [plain, { topics: 'a', cleanStart: true }, `'cleanStart' needs protocolVersion '5'`],
    [plain, { topics: 'a', retained: 'never' }, `'retained' needs protocolVersion '5'`],
    [link, { topics: 'a', leaveOnDrain: true }, `'leaveOnDrain' needs 'share'`],
    [
      nobody,
      { topics: 'a', will: { topic: 'b', payload: '', delayMs: 1 } },
      `'will.delayMs' needs a link with a clientId`,
    ],
    [link, { topics: 'a', qos: 0, will: { topic: 'b', payload: '', delayMs: 1 } }, `'will.delayMs' needs`],
    [nobody, { topics: 'a', name: 'b' }, `'name' needs a link with a clientId`],
  ])('are checked: %#', (to, options, text) => {
    expect(() => mqttSource(to, options as never)).toThrow(text);
  });
});

describe('a source of MQTT', () => {
  it('asks for its window, its session and its topics, and delivers what comes', async () => {
    const { server, consumer, isUp } = await subscribed({
      credit: 7,
      share: 'g',
      sessionExpiryMs: 2_500,
      topics: ['a', 'b/#'],
    });
    await isUp();
    const connect = server.of(1)[0]!;
    // No clean start; expiry 3 s, receive maximum 7.
    expect(connect[7]! & 2).toBe(0);
    expect(connect.toString('hex')).toContain('1100000003' + '210007');
    const subscribe = server.of(8)[0]!.toString('latin1');
    expect(subscribe).toContain('$share/g/a');
    expect(subscribe).toContain('$share/g/b/#');
    // QoS 1; retained messages only when the subscription is new.
    expect(server.of(8)[0]!.at(-1)).toBe(0b0001_0001);
    server.send(...some(1));
    await until(() => expect(texts(consumer.messages)).toEqual(['m1']));
    const [message] = consumer.messages;
    expect(message).toMatchObject({ topic: 'orders/new', attempt: 1 });
    expect(message?.meta as MqttMeta).toMatchObject({ qos: 1, packetId: 1, duplicate: false, retained: false });
  });

  it('connects again when its reader is given up with messages unsettled: over the same connection they come no more', async () => {
    let stalls = 0;
    const before: number[] = [];
    const { server, consumer, isUp } = await subscribed(
      { stallTimeoutMs: 300 },
      {
        behaviour(packet, reply) {
          if (packet.type === 1) before.push(stalls);
          agreeing(packet, reply);
        },
      },
    );
    cleanups.push(
      observe((event) => {
        if (event.type === 'connect.failed' && isSluiceError(event.reason, 'STALLED')) stalls += 1;
      }),
    );
    await isUp();
    server.send(...some(1));
    await until(() => expect(consumer.messages).toHaveLength(1));
    await until(() => expect(before.slice(0, 2)).toEqual([0, 1]));
    expect(consumer.messages[0]?.ack()).toBe(false);
  });

  it('acknowledges after the settlement, in the order in which the messages came', async () => {
    const { server, consumer, isUp } = await subscribed();
    await isUp();
    server.send(...some(1, 2, 3, 4));
    await until(() => expect(consumer.messages).toHaveLength(4));
    consumer.messages[1]?.ack();
    consumer.messages[2]?.nack('no', 'drop');
    server.send(...some(5));
    await until(() => expect(consumer.messages).toHaveLength(5));
    expect(acknowledged(server)).toEqual([]);
    consumer.messages[0]?.nack('no', 'dead');
    await until(() => expect(acknowledged(server)).toEqual([1, 2, 3]));
  });

  it('answers no message by itself, also not those that come right behind the welcome', async () => {
    const { server, consumer } = await subscribed(
      {},
      {
        behaviour(packet, reply) {
          if (packet.type === 1) reply(connack(0, [], true), ...some(1, 2, 3));
          else agreeing(packet, reply);
        },
      },
    );
    await until(() => expect(consumer.messages).toHaveLength(3));
    server.send(...some(4));
    await until(() => expect(consumer.messages).toHaveLength(4));
    expect(acknowledged(server)).toEqual([]);
  });

  it('delivers a requeued message again from here, with its id and one attempt more, while the broker waits', async () => {
    const failed: Message<Uint8Array>[] = [];
    const { server, consumer, isUp } = await subscribed(
      { requeueDelayMs: 5, maxAttempts: 3 },
      {
        handle(message) {
          if (Buffer.from(message.payload).toString() !== 'm1') message.ack();
          else {
            failed.push(message);
            message.nack('not yet', 'requeue');
          }
        },
      },
    );
    await isUp();
    server.send(...some(1, 2));
    await until(() => expect(acknowledged(server)).toEqual([1, 2]));
    expect(failed.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    expect(new Set(failed.map(({ id }) => id)).size).toBe(1);
    expect(consumer.messages).toHaveLength(4);
  });

  it('hands what is longer than maxBytes to the dead letters, as often as they take it not, and acknowledges it (S03, B10, F11)', async () => {
    const kept: Message<Uint8Array>[] = [];
    const sink: Sink<Uint8Array> = {
      next(message) {
        kept.push(message);
        if (kept.length === 1) message.nack('not now');
        else message.ack();
      },
      error: () => undefined,
      complete: () => undefined,
    };
    const server = await mqttServer();
    const link = mqttLink({ url: server.url, clientId: 'app' });
    const dead = consume(
      mqttSource(link, { topics: 'orders/+', maxBytes: 3 }).pipe(deadLetter(sink, { retryMs: 1 })),
      () => undefined,
    );
    cleanups.push(
      () => server.close(),
      () => dead.unsubscribe(),
    );
    await until(() => expect(server.of(8)).toHaveLength(1));
    server.send(publish(1, 'orders/new', 'm'), publish(2, 'orders/new', 'long'), publish(3, 'orders/new', 'max'));
    await until(() => expect(kept).toHaveLength(2));
    for (const message of dead.messages) message.ack();
    await until(() => expect(acknowledged(server)).toEqual([1, 2, 3]));
    expect([texts(dead.messages), texts(kept)]).toEqual([
      ['m', 'max'],
      ['lon', 'lon'],
    ]);
    expect(kept[1]?.headers).toMatchObject({ 'x-dead-code': 'PAYLOAD_TOO_LARGE', 'x-dead-attempt': '1' });
  });

  it('subscribes filters of any name, in their order', async () => {
    const topics = ['resubscribe', 'b', '1', 'constructor', '__proto__'];
    const { server, isUp } = await subscribed({ topics });
    await isUp();
    const body = server.of(8)[0]!;
    const asked: string[] = [];
    for (let at = 3; at < body.length; at += 3 + body.readUInt16BE(at))
      asked.push(body.toString('utf8', at + 2, at + 2 + body.readUInt16BE(at)));
    expect(asked).toEqual(topics);
  });

  it.each([
    [[42, 0], { share: 'g' }, 'no shared subscriptions (share) (0x9e)'],
    [[40, 0], { topics: ['a', 'b/#'] }, `'b/#': it has no wildcards in subscriptions (topics) (0xa2)`],
  ])('ends where the broker said that it cannot do what it is for, and subscribes nothing: %j', async (...of) => {
    const [properties, options, text] = of;
    const { server, consumer } = await subscribed(options, {
      behaviour(packet, reply) {
        if (packet.type === 1) reply(connack(0, properties));
        else agreeing(packet, reply);
      },
    });
    await until(() => expect(consumer.error).toMatchObject({ code: 'CONFIG_INVALID', retriable: false }));
    expect(String(consumer.error)).toContain(text);
    expect(server.of(8)).toEqual([]);
    await until(() => expect(server.open).toBe(0));
  });

  it('ends where the broker hangs up over what it does not have', async () => {
    const { server, consumer } = await subscribed(
      { share: 'g' },
      {
        behaviour(packet, reply) {
          if (packet.type === 8) reply(disconnect(0x9e));
          else agreeing(packet, reply);
        },
      },
    );
    await until(() => expect(consumer.error).toMatchObject({ code: 'CONFIG_INVALID', retriable: false }));
    expect(server.connections).toBe(1);
  });

  it('pings as often as the broker asks for, also while it reads nothing', async () => {
    const { server, consumer, isUp } = await subscribed(
      { credit: 1 },
      {
        link: { heartbeatMs: 600_000 },
        behaviour(packet, reply) {
          // Server Keep Alive: one second.
          if (packet.type === 1) reply(connack(0, [0x13, 0, 1]));
          else agreeing(packet, reply);
        },
      },
    );
    await isUp();
    server.send(...some(1, 2, 3));
    await until(() => expect(consumer.messages).toHaveLength(1));
    await until(() => expect(server.of(12).length).toBeGreaterThan(2), 4_000);
    expect(server.connections).toBe(1);
  });

  it('takes a large message that is slow to come for a sign of life', async () => {
    const { server, consumer, events, isUp } = await subscribed(
      {},
      {
        behaviour(packet, reply) {
          // The answers to pings stand behind the message.
          if (packet.type !== 12) agreeing(packet, reply);
        },
      },
    );
    await isUp();
    const message = publish(1, 'orders/new', 'x'.repeat(4_000));
    const pings = server.of(12).length;
    for (let at = 0; at < message.length;) {
      const seen = server.of(12).length;
      server.send(message.subarray(at, (at += 1_000)));
      if (at < message.length) await until(() => expect(server.of(12).length).toBeGreaterThan(seen));
    }
    await until(() => expect(consumer.messages).toHaveLength(1));
    expect(server.of(12).length - pings).toBeGreaterThan(2);
    expect(events.filter((event) => 'to' in event && event.to === 'degraded')).toEqual([]);
  });

  it('reads nothing more while the broker sends beyond its window, and stays alive for many keepalives (F6)', async () => {
    const { server, consumer, events, isUp } = await subscribed({ credit: 2 });
    await isUp();
    server.send(...some(1, 2, 3, 4, 5, 6));
    await until(() => expect(consumer.messages).toHaveLength(2));
    const pings = server.of(12).length;
    // Keep alive is a second; without answers to its pings the client itself would hang up.
    await until(() => expect(server.of(12).length).toBeGreaterThan(pings + 5));
    expect(consumer.messages).toHaveLength(2);
    expect(server.connections).toBe(1);
    expect(events.filter((event) => 'to' in event && event.to === 'degraded')).toEqual([]);
    for (let at = 0; at < 6; at += 1) {
      await until(() => expect(consumer.messages.length).toBeGreaterThan(at));
      consumer.messages[at]?.ack();
    }
    await until(() => expect(acknowledged(server)).toEqual([1, 2, 3, 4, 5, 6]));
  });

  it('gives up a peer that falls silent while a full window of it is in work (REC-05)', async () => {
    let isSilent = false;
    const { server, consumer, events, isUp } = await subscribed(
      { credit: 2 },
      {
        behaviour(packet, reply) {
          if (!isSilent) agreeing(packet, reply);
        },
      },
    );
    await isUp();
    server.send(...some(1, 2));
    await until(() => expect(consumer.messages).toHaveLength(2));
    isSilent = true;
    const isLost = (event: SluiceEvent): boolean =>
      'reason' in event && (event.reason as { code?: string })?.code === 'PEER_LOST';
    await until(() => expect(events.some(isLost)).toBe(true));
  });

  it('settles nothing of a connection that is gone (ACK-04)', async () => {
    const { server, consumer, isUp } = await subscribed();
    await isUp();
    server.send(...some(1));
    await until(() => expect(consumer.messages).toHaveLength(1));
    server.cut();
    await until(() => expect(server.of(8)).toHaveLength(2));
    expect(consumer.messages[0]?.ack()).toBe(false);
    server.send(publish(1, 'orders/new', 'other'));
    await until(() => expect(consumer.messages).toHaveLength(2));
    expect(acknowledged(server)).toEqual([]);
    consumer.messages[1]?.ack();
    await until(() => expect(acknowledged(server)).toEqual([1]));
  });

  it('acknowledges what was settled before it stops, and leaves the rest to the next one of the session', async () => {
    const { server, consumer, flow, isUp } = await subscribed({ credit: 3 });
    await isUp();
    server.send(...some(1, 2, 3));
    await until(() => expect(consumer.messages).toHaveLength(3));
    consumer.unsubscribe();
    consumer.messages[1]?.ack();
    const next = consume(flow);
    cleanups.push(() => next.unsubscribe());
    // It waits until the first is gone, and has its name.
    await until(() => expect(server.connections).toBe(2));
    expect(acknowledged(server)).toEqual([2]);
    await until(() => expect(server.of(1)).toHaveLength(2));
    expect(server.of(1)[1]!.toString('latin1')).toMatch(/app$/);
    await until(() => expect(server.open).toBe(1));
  });

  it('is a session of its own for each subscription, and one with a name for each source of a link', async () => {
    const { server, flow, link, isUp } = await subscribed();
    await isUp();
    const second = consume(flow);
    const named = consume(mqttSource(link, { topics: 'bills', name: 'bills' }));
    cleanups.push(
      () => second.unsubscribe(),
      () => named.unsubscribe(),
    );
    await until(() => expect(server.of(8)).toHaveLength(3));
    const names = server.of(1).map((connect) => /app[.\w]*$/.exec(connect.toString('latin1'))?.[0]);
    expect(names).toEqual(['app', 'app.2', 'app.bills']);
    const clash = consume(mqttSource(link, { topics: 'other' }));
    await until(() => expect(clash.error).toMatchObject({ code: 'CONFIG_INVALID' }));
  });

  it.each([
    [0x87, 'AUTH_FAILED'],
    [0x9e, 'CONFIG_INVALID'],
    [0, 'CONFIG_INVALID'],
  ])('ends when the broker answers its subscription with %i', async (code, expected) => {
    const { consumer } = await subscribed(
      {},
      {
        behaviour(packet, reply) {
          if (packet.type === 8) reply(suback(packet.body, code));
          else agreeing(packet, reply);
        },
      },
    );
    await until(() => expect(consumer.error).toMatchObject({ code: expected }));
  });

  it('works off what an old session sends before the answer where it is much, instead of reading all of it', async () => {
    const large = 'x'.repeat(600_000);
    const { server, consumer } = await subscribed(
      { credit: 1 },
      {
        behaviour(packet, reply) {
          if (packet.type === 1) reply(connack(0, [], true), publish(1, 'a', large));
          else if (packet.type === 8) reply(publish(2, 'a', large), publish(3, 'a', large), suback(packet.body, 0x87));
          else agreeing(packet, reply);
        },
      },
    );
    await until(() => expect(consumer.messages).toHaveLength(1));
    expect(consumer.error).toBeUndefined();
    consumer.messages[0]?.ack();
    await until(() => expect(consumer.messages).toHaveLength(2));
    await until(() => expect(consumer.error).toMatchObject({ code: 'AUTH_FAILED' }));
    expect(server.connections).toBe(1);
  });

  it('takes QoS 0 as it comes, acknowledges nothing and keeps what it has over a lost connection', async () => {
    const { server, consumer, isUp } = await subscribed({ qos: 0, credit: 1 });
    await isUp();
    const atMostOnce = Buffer.concat([Buffer.from([0x30, 5, 0, 1, 0x61, 0]), Buffer.from('x')]);
    server.send(Buffer.from([...atMostOnce]), Buffer.from([...atMostOnce]));
    await until(() => expect(consumer.messages).toHaveLength(1));
    server.cut();
    await until(() => expect(server.of(8)).toHaveLength(2));
    expect(consumer.messages[0]?.ack()).toBe(true);
    await until(() => expect(consumer.messages).toHaveLength(2));
    expect(acknowledged(server)).toEqual([]);
  });

  it('says that its subscription ends with its connection, or that the broker forgot it', async () => {
    const volatile = await subscribed({}, { link: { clientId: undefined } as never });
    await until(() =>
      expect(volatile.events.find(({ type }) => type === 'session.volatile')).toMatchObject({
        reason: 'the link has no clientId',
      }),
    );
    const limited = await subscribed(
      {},
      {
        behaviour(packet, reply) {
          if (packet.type === 1) reply(connack(0, [0x11, 0, 0, 0, 0]));
          else agreeing(packet, reply);
        },
      },
    );
    await until(() =>
      expect(limited.events.find(({ type }) => type === 'session.volatile')).toMatchObject({
        name: 'app',
        reason: 'the broker keeps no sessions',
      }),
    );
    const kept = await subscribed();
    await kept.isUp();
    expect(kept.events.filter(({ type }) => type.startsWith('session.'))).toEqual([]);
    kept.server.cut();
    await until(() => expect(kept.events.find(({ type }) => type === 'session.lost')).toMatchObject({ name: 'app' }));
  });
});

describe('topics that the broker abbreviates', () => {
  /** Property 35: the alias of a topic. */
  const alias = (id: number, topic: string, number: number): Buffer => publish(id, topic, `m${id}`, [35, 0, number]);
  const topicsOf = ({ messages }: Consumer<Uint8Array>): string[] => messages.map(({ topic }) => topic);

  it('are asked for by number, and told in full', async () => {
    const { server, consumer, isUp } = await subscribed({}, { link: { topicAliases: 2 }, handle: (m) => m.ack() });
    await isUp();
    // Topic Alias Maximum 2.
    expect(server.of(1)[0]!.toString('hex')).toContain('220002');
    server.send(alias(1, 'orders/a', 1), alias(2, 'orders/b', 2), alias(3, '', 1), alias(4, '', 2));
    server.send(alias(5, 'orders/c', 1), alias(6, '', 1));
    await until(() => expect(consumer.messages).toHaveLength(6));
    expect(topicsOf(consumer)).toEqual(['orders/a', 'orders/b', 'orders/a', 'orders/b', 'orders/c', 'orders/c']);
    await until(() => expect(acknowledged(server)).toEqual([1, 2, 3, 4, 5, 6]));
  });

  it('are known to the next reader of the connection, as after a stall', async () => {
    let asked = 0;
    const { server, consumer } = await subscribed(
      { stallTimeoutMs: 200 },
      {
        link: { topicAliases: 2 },
        handle: (m) => m.ack(),
        behaviour(packet, reply) {
          if (packet.type !== 8) agreeing(packet, reply);
          else reply(suback(packet.body), (asked += 1) === 1 ? alias(1, 'orders/a', 1) : alias(2, '', 1));
        },
      },
    );
    await until(() => expect(topicsOf(consumer)).toEqual(['orders/a', 'orders/a']));
    expect(server.connections).toBe(1);
  });

  it('are forgotten with their connection: an alias that nobody explained ends it', async () => {
    const { server, consumer, events, isUp } = await subscribed(
      {},
      { link: { topicAliases: 2 }, handle: (m) => m.ack() },
    );
    await isUp();
    server.send(alias(1, 'orders/a', 1));
    await until(() => expect(acknowledged(server)).toEqual([1]));
    server.cut();
    await until(() => expect(server.of(8)).toHaveLength(2));
    server.send(alias(2, '', 1));
    await until(() => expect(server.of(8)).toHaveLength(3));
    expect(topicsOf(consumer)).toEqual(['orders/a']);
    expect(acknowledged(server)).toEqual([1]);
    expect(events.filter(({ type }) => type === 'connect.failed').length).toBeGreaterThan(1);
  });
});

describe('a member of a shared subscription', () => {
  /** Subscribes in a scope, so that the source can be drained as a runtime does it. */
  async function member(options: Partial<MqttSourceOptions>, link: Partial<MqttLinkOptions> = {}) {
    // The answer to the second UNSUBSCRIBE and all after it is the test's.
    let asked = 0;
    const later: (() => void)[] = [];
    const server = await mqttServer((packet, reply) => {
      if (packet.type === 10 && (asked += 1) > 1) later.push(() => reply(unsuback(packet.body)));
      else agreeing(packet, reply);
    });
    cleanups.push(() => server.close());
    let source: SourceHandle | undefined;
    const made = mqttLink({ url: server.url, clientId: 'app', heartbeatMs: 500, ...link });
    const flow = mqttSource(made, { topics: 'orders/+', share: 'g', closeTimeoutMs: 200, ...options });
    const consumer = withScope({ addSource: (handle) => void (source = handle) }, () => consume(flow, () => undefined));
    cleanups.push(() => consumer.unsubscribe());
    await until(() => expect(source?.status).toBe('connected'));
    return { server, consumer, source: source as unknown as SourceHandle, answer: () => later.shift()?.() };
  }
  const DISCONNECT = 14;

  it('leaves its group with a drain: works off what it was given, and ends its session (REC-10)', async () => {
    const { server, consumer, source, answer } = await member({ credit: 2, receiveMaximum: 10, leaveOnDrain: true });
    server.send(...some(1, 2, 3));
    await until(() => expect(consumer.messages).toHaveLength(2));
    source.drain();
    source.drain();
    await until(() => expect(server.of(10)).toHaveLength(1));
    expect(server.of(10)[0]!.toString('latin1')).toContain('$share/g/orders/+');
    consumer.messages.forEach((message) => message.ack());
    // The third one waited here, and is this member's to work off.
    await until(() => expect(consumer.messages).toHaveLength(3));
    consumer.messages[2]!.ack();
    // All is acknowledged: is there more? There is, so it is asked once more.
    await until(() => expect(server.of(10)).toHaveLength(2));
    server.send(...some(4));
    answer();
    await until(() => expect(consumer.messages).toHaveLength(4));
    expect(consumer.completed).toBe(false);
    consumer.messages[3]!.ack();
    await until(() => expect(server.of(10)).toHaveLength(3));
    expect(acknowledged(server)).toEqual([1, 2, 3, 4]);
    answer();
    await until(() => expect(consumer.completed).toBe(true));
    // Reason 0, and a session expiry of 0 s.
    expect(server.of(DISCONNECT).map((body) => body.toString('hex'))).toEqual(['00051100000000']);
  });

  it('leaves at once where nothing is left, and where no session is kept without being told to', async () => {
    const { server, consumer, source } = await member({}, { clientId: undefined as never });
    source.drain();
    await until(() => expect(consumer.completed).toBe(true));
    expect(server.of(10)).toHaveLength(1);
  });

  it('stays in its group with its session where it is expected back', async () => {
    const { server, consumer, source } = await member({ credit: 1 });
    server.send(...some(1, 2));
    await until(() => expect(consumer.messages).toHaveLength(1));
    source.drain();
    consumer.messages[0]!.ack();
    await until(() => expect(consumer.completed).toBe(true));
    expect(server.of(10)).toHaveLength(0);
    expect(consumer.messages).toHaveLength(1);
    expect(server.of(DISCONNECT).map((body) => body.toString('hex'))).not.toContain('00051100000000');
  });

  it('gives up leaving when its line breaks: what is left waits in the session', async () => {
    const { server, consumer, source } = await member({ leaveOnDrain: true });
    server.send(...some(1));
    await until(() => expect(consumer.messages).toHaveLength(1));
    source.drain();
    await until(() => expect(server.of(10)).toHaveLength(1));
    server.cut();
    await until(() => expect(consumer.completed).toBe(true));
    expect(server.connections).toBe(1);
  });
});
