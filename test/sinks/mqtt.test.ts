import { afterEach, describe, expect, it } from 'vitest';
import { backoff, type MessageHeaders, type SluiceError } from 'sluice';
import { mqttLink, mqttSink, type MqttLinkOptions, type MqttSinkOptions } from 'sluice/mqtt';
import { recorder } from '../helpers/message.js';
import {
  agreeing,
  connack,
  disconnect,
  mqttServer,
  puback,
  publishId,
  type Behaviour,
} from '../helpers/mqtt-server.js';
import { until } from '../helpers/until.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function opened(options: MqttSinkOptions = {}, behaviour?: Behaviour, link: Partial<MqttLinkOptions> = {}) {
  const server = await mqttServer(behaviour);
  const made = mqttLink({ url: server.url, heartbeatMs: 500, ...link });
  const sink = mqttSink(made, options);
  const { message, log } = recorder();
  cleanups.push(
    () => server.close(),
    // A sink that still waits for its confirmations would go on trying to reach a server that is gone.
    async () => {
      sink.complete();
      await sink.closed;
    },
  );
  const send = (payload: unknown = bytes('p'), fields: { topic?: string; headers?: MessageHeaders } = {}): void =>
    sink.next(message(payload as Uint8Array, { topic: 'a/b', ...fields }));
  return { server, link: made, sink, send, log };
}

/** A broker that confirms nothing. */
const mute: Behaviour = (packet, reply) => {
  if (packet.type !== 3) agreeing(packet, reply);
};

/** What was published, as `topic payload`. */
const published = (bodies: readonly Buffer[]): string[] =>
  bodies.map((body) => {
    const end = 2 + body.readUInt16BE(0);
    const properties = body[end + 2]!;
    return `${body.toString('utf8', 2, end)} ${body.toString('utf8', end + 3 + properties)}`;
  });

/** The topics that a broker makes of what was published over one connection: each alias stands for its last topic. */
function aliased(bodies: readonly Buffer[]): (string | undefined)[] {
  const known = new Map<number, string>();
  return bodies.map((body) => {
    const end = 2 + body.readUInt16BE(0);
    const properties = body.subarray(end + 3, end + 3 + body[end + 2]!);
    // The client writes the alias last.
    const alias = properties.at(-3) === 35 ? properties.readUInt16BE(properties.length - 2) : 0;
    if (end > 2) known.set(alias, body.toString('utf8', 2, end));
    return known.get(alias);
  });
}

describe('the options of mqttSink', () => {
  const link = mqttLink({ url: 'mqtt://a' });
  const plain = mqttLink({ url: 'mqtt://a', protocolVersion: '3.1.1' });

  it.each([
    [link, { topic: 'a/#' }, 'which only filters may'],
    [link, { qos: 2 }, 'QoS 2 needs a store'],
    [link, { retian: true }, `did you mean 'retain'?`],
    [link, { headers: 'drop' }, `'headers' is for protocolVersion '3.1.1'`],
    [link, { maxUnconfirmed: 0 }, 'from 1 to 65535'],
    [plain, { messageExpiryMs: 1 }, `'messageExpiryMs' needs protocolVersion '5'`],
  ])('are checked: %#', (to, options, text) => {
    expect(() => mqttSink(to, options as never)).toThrow(text);
  });
});

describe('a sink of MQTT', () => {
  it('publishes under the topic of the message, a fixed one, or one made of it, and acks what was confirmed', async () => {
    const own = await opened();
    own.send();
    await until(() => expect(own.log).toHaveLength(1));
    expect(published(own.server.of(3))).toEqual(['a/b p']);
    expect(own.server.received.find(({ type }) => type === 3)?.flags).toBe(0b0010);
    const fixed = await opened({ topic: 'c', retain: true });
    fixed.send();
    await until(() => expect(published(fixed.server.of(3))).toEqual(['c p']));
    expect(fixed.server.received.find(({ type }) => type === 3)?.flags).toBe(0b0011);
    const made = await opened({ topic: ({ topic }) => `x/${topic}`, retain: ({ topic }) => topic === 'none', qos: 0 });
    made.send(new Uint8Array());
    await until(() => expect(made.log).toHaveLength(1));
    // Confirmed is what was written, so it may still be on its way.
    await until(() => expect(made.server.received.find(({ type }) => type === 3)?.flags).toBe(0));
  });

  it('acks nothing that is not confirmed, and sends it again over the next connection with the same id (SNK-02)', async () => {
    let isMute = true;
    const { server, send, log } = await opened({}, (packet, reply) => (isMute ? mute : agreeing)(packet, reply, 1));
    send(bytes('one'));
    send(bytes('two'));
    await until(() => expect(server.of(3)).toHaveLength(2));
    expect(log).toEqual([]);
    isMute = false;
    server.cut();
    await until(() => expect(log).toHaveLength(2));
    const ids = server.of(3).map((body) => /x-message-id..([\w-]+)/s.exec(body.toString('latin1'))?.[1]);
    expect(ids).toHaveLength(4);
    expect(ids.slice(0, 2)).toEqual(ids.slice(2));
  });

  it('gives up alone what the broker refuses with a reason that the client cannot read, and sends the rest (SNK-08)', async () => {
    const isLarge = (body: Buffer): boolean => body.includes('large');
    const { server, send, log } = await opened({ reconnect: backoff({ initialMs: 5, maxMs: 5 }) }, (packet, reply) => {
      // What Mosquitto answers to what is above its message_size_limit; no PUBACK may have it.
      if (packet.type === 3 && isLarge(packet.body)) reply(puback(publishId(packet.body), 0x95, 0));
      else agreeing(packet, reply);
    });
    for (const text of ['a', 'b', 'large', 'c', 'd']) send(bytes(text));
    await until(() => expect(log).toHaveLength(5));
    const acked = ['a', 'b', 'c', 'd'].map((text) => `${String(bytes(text))} ack`);
    expect(log.toSorted()).toEqual([...acked, `${String(bytes('large'))} dead SINK_FAILED`].toSorted());
    // All together, then one by one, and what was behind it.
    expect(server.connections).toBe(3);
  });

  it('comes to the end of messages over each of which the broker hangs up (SNK-08)', async () => {
    let connection = 0;
    let out = 0;
    const quick = backoff({ initialMs: 5, maxMs: 5 });
    const refusing: Behaviour = (packet, reply, count) => {
      if (packet.type !== 3) {
        agreeing(packet, reply);
        return;
      }
      out = count === connection ? out + 1 : 1;
      connection = count;
      // As Mosquitto 2.0.11 without a limit to its queues: the answer is lost with what is not read behind the message.
      setTimeout(() => {
        if (out === 1) reply(puback(publishId(packet.body), 0x87, 0));
        server.cut();
      }, 5);
    };
    const { server, send, log } = await opened({ reconnect: quick }, refusing, { reconnect: quick });
    for (let at = 0; at < 10; at += 1) send();
    await until(() => expect(log).toHaveLength(10));
    expect(new Set(log.map((line) => line.split(' ').slice(1).join(' ')))).toEqual(new Set(['dead AUTH_FAILED']));
  });

  it.each([
    [0x90, 'TOPIC_INVALID'],
    [0x95, 'PAYLOAD_TOO_LARGE'],
    [0x99, 'SINK_FAILED'],
  ])(
    'gives up alone the message that the broker hangs up for with %i, and sends the rest (SNK-08)',
    async (reason, code) => {
      const quick = backoff({ initialMs: 5, maxMs: 5 });
      let ended = 0;
      const refusing: Behaviour = (packet, reply, count) => {
        if (count === ended) return;
        if (packet.type === 3 && packet.body.includes('bad')) {
          ended = count;
          reply(disconnect(reason));
        } else agreeing(packet, reply);
      };
      const { server, send, log } = await opened({ reconnect: quick }, refusing, { reconnect: quick });
      for (const text of ['a', 'bad', 'c']) send(bytes(text));
      await until(() => expect(log).toHaveLength(3));
      const expected = [
        `${String(bytes('a'))} ack`,
        `${String(bytes('bad'))} dead ${code}`,
        `${String(bytes('c'))} ack`,
      ];
      expect(log.toSorted()).toEqual(expected.toSorted());
      expect(server.connections).toBe(3);
    },
  );

  it('has no more out than its window, and than the broker allows for all sinks of a link (SNK-03)', async () => {
    const { server, send } = await opened({ maxUnconfirmed: 3, closeTimeoutMs: 1 }, mute);
    for (let at = 0; at < 10; at += 1) send();
    await until(() => expect(server.of(3)).toHaveLength(3));
    const held: Buffer[] = [];
    const narrow = await opened({}, (packet, reply) => {
      if (packet.type === 1) reply(connack(0, [0x21, 0, 2]));
      else if (packet.type === 3) held.push(packet.body);
      else agreeing(packet, reply);
    });
    const other = mqttSink(narrow.link, { topic: 'other' });
    cleanups.push(() => other.complete());
    const { message, log } = recorder();
    for (let at = 0; at < 4; at += 1) {
      narrow.send(bytes(`n${at}`));
      other.next(message(bytes(`o${at}`)));
    }
    let most = 0;
    for (let answered = 0; answered < 8; answered += 1) {
      await until(() => expect(held.length).toBeGreaterThan(answered));
      most = Math.max(most, held.length - answered);
      narrow.server.send(puback(publishId(held[answered]!)));
    }
    await until(() => expect([narrow.log.length, log.length]).toEqual([4, 4]));
    expect(most).toBeLessThanOrEqual(2);
    expect(new Set(published(held)).size).toBe(8);
    expect(narrow.server.connections).toBe(1);
  });

  it.each([
    [0x10, 'ack'],
    [0x87, 'dead AUTH_FAILED'],
    [0x97, 'requeue SINK_FAILED'],
    [0x99, 'dead SINK_FAILED'],
  ])('takes the reason %i for %s', async (reason, expected) => {
    const { send, log } = await opened({}, (packet, reply) => {
      if (packet.type === 3) reply(puback(publishId(packet.body), reason, 0));
      else agreeing(packet, reply);
    });
    send();
    await until(() => expect(log).toHaveLength(1));
    expect(log[0]).toContain(expected);
  });

  it('refuses by itself what cannot be sent, and goes on (SNK-08, B23, S03)', async () => {
    const { server, send, log } = await opened({ maxBytes: 4 }, (packet, reply) => {
      // At most 200 bytes a packet.
      if (packet.type === 1) reply(connack(0, [0x27, 0, 0, 0, 200]));
      else agreeing(packet, reply);
    });
    send(bytes('large'));
    send('text');
    send(bytes('p'), { topic: 'a/+' });
    send(bytes('p'), { topic: 'a\u0000' });
    send(bytes('p'), { topic: 'x'.repeat(65_536) });
    send(bytes('p'), { headers: { nul: '\u0000' } });
    send(bytes('p'), { headers: { long: 'x'.repeat(200) } });
    send(bytes('fine'), { topic: 'ok' });
    await until(() => expect(log).toHaveLength(8));
    expect(log.map((line) => /[A-Z]+_[A-Z_]+|ack/.exec(line)?.[0])).toEqual([
      'PAYLOAD_TOO_LARGE',
      'ENCODE_FAILED',
      'TOPIC_INVALID',
      'TOPIC_INVALID',
      'TOPIC_INVALID',
      'ENCODE_FAILED',
      'PAYLOAD_TOO_LARGE',
      'ack',
    ]);
    expect(published(server.of(3))).toEqual(['ok fine']);
    expect(server.connections).toBe(1);
  });

  it('gives the connection up when nothing is confirmed in time (REC-06)', async () => {
    let isMute = true;
    const { server, send, log } = await opened({ confirmTimeoutMs: 50 }, (packet, reply) =>
      (isMute ? mute : agreeing)(packet, reply, 1),
    );
    send();
    await until(() => expect(server.connections).toBeGreaterThan(1));
    isMute = false;
    await until(() => expect(log).toHaveLength(1));
    expect(log[0]).toContain('ack');
  });

  it('refuses headers over MQTT 3.1.1, the content type aside, or drops them where it is told to', async () => {
    const plain: Behaviour = (packet, reply) => {
      if (packet.type === 1) reply(Buffer.from([0x20, 2, 0, 0]));
      else agreeing(packet, reply);
    };
    const link = { protocolVersion: '3.1.1' } as const;
    const { send, log, server } = await opened({}, plain, link);
    send(bytes('a'), { headers: { 'x-trace': '1' } });
    send(bytes('b'), { headers: { 'content-type': 'text/plain' } });
    await until(() => expect(log).toHaveLength(2));
    expect(log[0]).toContain('dead ENCODE_FAILED');
    expect(log[1]).toContain('ack');
    expect(server.of(3)[0]?.toString('latin1').slice(-1)).toBe('b');
    const dropping = await opened({ headers: 'drop' }, plain, link);
    dropping.send(bytes('a'), { headers: { 'x-trace': '1' } });
    await until(() => expect(dropping.log).toHaveLength(1));
    expect(dropping.log[0]).toContain('ack');
  });

  it.each([
    [{}, [0x24, 0], `'qos'`],
    [{ retain: true }, [0x25, 0], `'retain'`],
  ])('ends where the broker cannot do what it is for: %j', async (options, properties, text) => {
    const { send, sink, log } = await opened(options, (packet, reply) => {
      if (packet.type === 1) reply(connack(0, properties));
      else agreeing(packet, reply);
    });
    send();
    await until(() => expect(log).toHaveLength(1));
    const { failure } = sink as unknown as { readonly failure: SluiceError };
    expect(failure.message).toContain(text);
  });

  it('abbreviates topics where both sides allow it', async () => {
    const { server, send, log } = await opened(
      {},
      (packet, reply) => {
        if (packet.type === 1) reply(connack(0, [0x22, 0, 5]));
        else agreeing(packet, reply);
      },
      { topicAliases: 5 },
    );
    send(bytes('1'), { topic: 'a/long/topic' });
    send(bytes('2'), { topic: 'a/long/topic' });
    await until(() => expect(log).toHaveLength(2));
    const lengths = server.of(3).map((body) => body.readUInt16BE(0));
    expect(lengths).toEqual([12, 0]);
  });

  it('abbreviates topics of any name, and no more of them than the broker allows', async () => {
    const aliases =
      (most: number): Behaviour =>
      (packet, reply) => {
        if (packet.type === 1) reply(connack(0, [0x22, 0, most]));
        else agreeing(packet, reply);
      };
    const topics = ['constructor', '__proto__', 'toString', 'a', 'constructor', '__proto__', 'a', 'a'];
    const own = await opened({}, aliases(3), { topicAliases: 1 });
    for (const topic of topics) own.send(bytes(topic), { topic });
    await until(() => expect(own.log).toHaveLength(topics.length));
    expect(own.server.connections).toBe(1);
    expect(aliased(own.server.of(3))).toEqual(topics);
    const none = await opened({}, aliases(0), { topicAliases: 5 });
    for (const topic of topics) none.send(bytes(topic), { topic });
    await until(() => expect(none.log).toHaveLength(topics.length));
    expect(none.server.of(3).map((body) => body.toString('utf8', 2, 2 + body.readUInt16BE(0)))).toEqual(topics);
  });

  it('tells the next connection the whole topic of what it sends again (SNK-02)', async () => {
    let isMute = false;
    const { server, send, log } = await opened(
      {},
      (packet, reply) => {
        if (packet.type === 1) reply(connack(0, [0x22, 0, 5]));
        else if (packet.type !== 3 || !isMute) agreeing(packet, reply);
      },
      { topicAliases: 5 },
    );
    send(bytes('1'));
    await until(() => expect(log).toHaveLength(1));
    isMute = true;
    send(bytes('2'));
    send(bytes('3'));
    await until(() => expect(server.of(3)).toHaveLength(3));
    // Nothing but the alias.
    expect(server.of(3).map((body) => body.readUInt16BE(0))).toEqual([3, 0, 0]);
    isMute = false;
    server.cut();
    await until(() => expect(log).toHaveLength(3));
    expect(server.of(3).map((body) => body.readUInt16BE(0))).toEqual([3, 0, 0, 3, 0]);
  });

  it('sends what fits the largest packet of the broker to the last byte but a few', async () => {
    const { send, log } = await opened({}, (packet, reply) => {
      if (packet.type === 1) reply(connack(0, [0x27, 0, 0, 4, 0]));
      else agreeing(packet, reply);
    });
    send(bytes('p'), { headers: { large: 'x'.repeat(800) } });
    send(bytes('p'), { headers: { large: 'x'.repeat(1_000) } });
    await until(() => expect(log).toHaveLength(2));
    expect(log.map((line) => /[A-Z]+_[A-Z_]+|ack/.exec(line)?.[0]).sort()).toEqual(['PAYLOAD_TOO_LARGE', 'ack']);
  });

  it('keeps its connection over what the client could not write', async () => {
    const { server, send, log } = await opened({ messageExpiryMs: Infinity });
    send(bytes('p'), { headers: { 'correlation-data': new Uint8Array(65_536) } });
    send(bytes('p'), { headers: { 'correlation-data': new Uint8Array(65_535) } });
    await until(() => expect(log).toHaveLength(2));
    expect(log.map((line) => /[A-Z]+_[A-Z_]+|ack/.exec(line)?.[0])).toEqual(['ENCODE_FAILED', 'ack']);
    expect(server.connections).toBe(1);
  });

  it('confirms with its last word before it closes', async () => {
    const { server, send, sink, log } = await opened();
    for (let at = 0; at < 500; at += 1) send();
    sink.complete();
    await (sink as unknown as { readonly closed: Promise<void> }).closed;
    expect(log).toHaveLength(500);
    await until(() => expect(server.open).toBe(0));
    expect(server.of(14)).toHaveLength(1);
  });
});
