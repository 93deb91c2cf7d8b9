import { inspect } from 'node:util';
import { filter, firstValueFrom } from 'rxjs';
import { expect, it, onTestFailed, onTestFinished } from 'vitest';
import {
  backoff,
  deadLetter,
  each,
  isSluiceError,
  observe,
  systemClock,
  type Message,
  type SluiceEvent,
  type Status,
} from 'sluice';
import { amqpLink, amqpSink, amqpSource, type AmqpLink, type AmqpLinkOptions, type AmqpTopology } from 'sluice/amqp';
import { faultProxy, type FaultProxy } from 'sluice/testing-node';
import { brokerSuite } from '../brokers/broker-suite.js';
import { rabbitmq, type Rabbitmq } from '../brokers/rabbitmq.js';
import { amqpAdmin, type AmqpAdmin } from '../helpers/amqp-admin.js';
import { enoughMemory, shortOfMemory } from '../helpers/amqp-memory.js';
import { putNested } from '../helpers/amqp-nested.js';
import { collect, type Collected } from '../helpers/collect.js';
import { recorder } from '../helpers/message.js';
import { until } from '../helpers/until.js';

const utf8 = new TextEncoder();
const reconnect = backoff({ initialMs: 20, maxMs: 100, minMs: 5 });
const texts = (collected: Collected<Uint8Array>): string[] =>
  collected.payloads.map((payload) => new TextDecoder().decode(payload));
const numbers = (count: number): string[] => Array.from({ length: count }, (_, at) => `m${at}`);

interface Bench {
  readonly admin: AmqpAdmin;
  readonly proxy: FaultProxy;
  readonly events: readonly SluiceEvent[];
  /** A link through the proxy. */
  link(topology?: AmqpTopology, options?: Partial<AmqpLinkOptions>): AmqpLink;
  /** What was reported of this kind of failure. */
  reasons(code: string): unknown[];
}

async function bench({ url, port }: Rabbitmq): Promise<Bench> {
  const proxy = await faultProxy({ port });
  const events: SluiceEvent[] = [];
  const stop = observe((event) => void events.push(event));
  onTestFinished(async () => {
    stop();
    await proxy.close();
  });
  // What was lost, and why, is mostly what makes one of these fail.
  onTestFailed(() => console.log(inspect(events, { depth: 4 })));
  return {
    admin: amqpAdmin(url),
    proxy,
    events,
    link: (topology = {}, options = {}) =>
      amqpLink({ url: url.replace(`:${port}`, `:${proxy.port}`), topology, reconnect, ...options }),
    reasons: (code) =>
      events.flatMap((event) =>
        'reason' in event && isSluiceError(event.reason, code as never) ? [event.reason] : [],
      ),
  };
}

/** Subscribes and unsubscribes at the end of the test. */
function read(link: AmqpLink, queue: string, options: object, settle?: (message: Message<Uint8Array>) => void) {
  const seen = collect(amqpSource(link, { queue, closeTimeoutMs: 0, ...options }), settle);
  onTestFinished(() => seen.subscription.unsubscribe());
  return seen;
}

/** A sink and what became of what it was given. */
function write(link: AmqpLink, options: Partial<Parameters<typeof amqpSink>[1]>) {
  const sink = amqpSink(link, { exchange: '', reconnect, ...options });
  const { message, settled, open } = recorder();
  onTestFinished(() => sink.complete());
  let made = 0;
  return {
    sink,
    open,
    /** Codes of errors, or outcomes. */
    get settled() {
      return settled.map(({ outcome, code }) => code ?? outcome);
    },
    send(topic: string, text = `s${made}`) {
      made += 1;
      sink.next(message(utf8.encode(text), { topic }));
    },
  };
}

brokerSuite('AMQP on RabbitMQ, what only it has', rabbitmq, (broker) => {
  it('declares exchanges, queues, bindings, dead letters and times to live, and again when they are gone (TOPO)', async () => {
    const { admin, link, proxy, reasons: told } = await bench(broker());
    const topology: AmqpTopology = {
      exchanges: [{ name: 't.in' }, { name: 't.dead', type: 'fanout' }, { name: 't.other', type: 'fanout' }],
      queues: [
        { name: 't.work', deadLetterExchange: 't.dead' },
        { name: 't.short', type: 'classic', messageTtlMs: 50, deadLetterExchange: 't.dead' },
        { name: 't.dead', type: 'classic' },
      ],
      bindings: [
        { queue: 't.work', exchange: 't.in', pattern: 'orders.*' },
        { queue: 't.short', exchange: 't.in', pattern: 'short' },
        { queue: 't.dead', exchange: 't.dead' },
      ],
    };
    const one = link(topology);
    const seen = read(one, 't.work', { credit: 5 }, (message) => void message.nack(new Error('no'), 'dead'));
    const out = write(one, { exchange: 't.in' });
    out.send('orders.new', 'first');
    out.send('short', 'late');
    await until(() => expect(texts(seen)).toEqual(['first']));
    const dead = await until(async () => {
      const all = await admin.drain('t.dead');
      expect(all.length).toBeGreaterThan(0);
      return all;
    });
    const reasons = new Map<string, unknown>();
    for (const all of [dead, await until(() => admin.drain('t.dead'))])
      for (const { properties, content } of all) {
        const [death] = (properties.headers?.['x-death'] ?? []) as { reason?: unknown }[];
        reasons.set(content.toString(), death?.reason);
      }
    await until(async () => {
      for (const { properties, content } of await admin.drain('t.dead'))
        reasons.set(content.toString(), (properties.headers?.['x-death'] as { reason?: unknown }[])[0]?.reason);
      expect(Object.fromEntries(reasons)).toEqual({ first: 'rejected', late: 'expired' });
    });

    // A queue and an exchange vanish under way: the broker ends the reading, and the next publish closes its channel. One
    // after the other, as RabbitMQ 3.10 forgets to end the reading of a quorum queue that is declared again meanwhile.
    const { accepted } = proxy;
    await admin.with((channel) => channel.deleteQueue('t.work'));
    await until(() => expect(told('CONNECTION_LOST')).not.toEqual([]));
    await until(() =>
      admin.with(async (channel) => expect((await channel.checkQueue('t.work')).consumerCount).toBe(1)),
    );
    await admin.with((channel) => channel.deleteExchange('t.in'));
    out.send('orders.new', 'second');
    await until(() => expect(texts(seen)).toEqual(['first', 'second']));
    await until(() => expect(out.settled).toHaveLength(3));
    expect([seen.errors, proxy.accepted - accepted, out.settled]).toEqual([[], 0, ['ack', 'ack', 'ack']]);
  });

  it('opens the channel again that the broker closed, over the same connection, with the same window (REC-06)', async (context) => {
    const { evaluate } = broker();
    if (evaluate === undefined) context.skip(`${broker().how} takes no orders`);
    const set = (ms: number, tickMs: number): string =>
      `application:set_env(rabbit, consumer_timeout, ${ms}), application:set_env(rabbit, channel_tick_interval, ${tickMs})`;
    const { admin, link, proxy, reasons } = await bench(broker());
    await evaluate?.(set(300, 100));
    onTestFinished(async () => void (await evaluate?.(set(1_800_000, 60_000))));
    const one = link({ queues: [{ name: 'c', type: 'classic' }] });
    const seen = read(one, 'c', { credit: 3 });
    await until(() => admin.put('c', ...numbers(10)));
    await until(() => expect(texts(seen)).toEqual(['m0', 'm1', 'm2']));
    // Nobody settles: the broker takes the channel away, and all three come again.
    await until(() => expect(seen.messages.length).toBe(6));
    expect([reasons('CONNECTION_LOST').length > 0, proxy.accepted, seen.errors]).toEqual([true, 1, []]);
    const stale = seen.messages.slice(0, 3).map((message) => message.ack());
    expect([stale, texts(seen).slice(3)]).toEqual([
      [false, false, false],
      ['m0', 'm1', 'm2'],
    ]);
  });

  it('acks in any order, and one frame for all that are done in order (ACK-05)', async () => {
    const { admin, link, proxy } = await bench(broker());
    const one = link({ queues: [{ name: 'a', type: 'classic' }] });
    const first = read(one, 'a', { credit: 20 });
    await until(() => admin.put('a', ...numbers(20)));
    await until(() => expect(first.messages).toHaveLength(20));
    for (const at of [19, 3, 7, 1, 11, 5, 9, 17, 15, 13]) first.messages[at]?.ack();
    await until(() => expect(proxy.passed.up).toBeGreaterThan(0));
    first.subscription.unsubscribe();
    const even = read(one, 'a', { credit: 20 });
    await until(() => expect(even.messages).toHaveLength(10));
    expect(texts(even)).toEqual(numbers(20).filter((_, at) => at % 2 === 0));
    const before = proxy.passed.up;
    for (const message of even.messages) message.ack();
    await until(() => expect(proxy.passed.up).toBeGreaterThan(before));
    // A frame of basic.ack has 21 bytes; a heartbeat may come in between.
    expect(proxy.passed.up - before).toBeLessThan(2 * 21 + 8);
    even.subscription.unsubscribe();
    await until(async () => expect(await admin.depth('a')).toBe(0));
  });

  it('requeues after a delay up to a ceiling, rejects and drops, as it is told (S3.85, ERR-02, MSG-01)', async () => {
    const { admin, link } = await bench(broker());
    const one = link({
      exchanges: [{ name: 'n.dead', type: 'fanout' }],
      queues: [{ name: 'n', deadLetterExchange: 'n.dead' }, { name: 'n.dead' }],
      bindings: [{ queue: 'n.dead', exchange: 'n.dead' }],
    });
    const atMs: number[] = [];
    const seen = read(one, 'n', { credit: 10, requeueDelayMs: 120, maxAttempts: 3 }, (message) => {
      const text = new TextDecoder().decode(message.payload);
      if (text === 'requeue') atMs.push(performance.now());
      if (text === 'ack') message.ack();
      else message.nack(new Error(text), text as 'requeue');
    });
    await until(() => admin.put('n', 'requeue', 'dead', 'drop', 'ack'));
    await until(async () => expect(await admin.depth('n.dead')).toBe(2));
    const dead = (await admin.drain('n.dead')).map(({ content }) => content.toString());
    expect(dead).toEqual(['dead', 'requeue']);
    const attempts = seen.messages.filter((message) => message.id === 'requeue').map(({ attempt }) => attempt);
    expect(attempts).toEqual([1, 2, 3]);
    expect(Math.min(...atMs.slice(1).map((ms, at) => ms - (atMs[at] as number)))).toBeGreaterThan(118);
    seen.subscription.unsubscribe();
    await until(async () => expect(await admin.depth('n')).toBe(0));
  });

  it('tells why a message died where deadLetter sends it to an exchange, and which queue it was in where the broker does', async () => {
    const { admin, link } = await bench(broker());
    const one = link({
      exchanges: [{ name: 'd.dead', type: 'fanout' }],
      queues: [{ name: 'd', deadLetterExchange: 'd.dead' }, { name: 'd.dead' }],
      bindings: [{ queue: 'd.dead', exchange: 'd.dead' }],
    });
    const letters = read(one, 'd.dead', {}, (message) => void message.ack());
    const ours = collect(
      amqpSource(one, { queue: 'd' }).pipe(
        deadLetter(amqpSink(one, { exchange: 'd.dead', reconnect })),
        each(() => Promise.reject(new TypeError('no such article')), { onError: 'dead' }),
      ),
    );
    await until(() => admin.put('d', 'ours'));
    await until(() => expect(texts(letters)).toEqual(['ours']));
    ours.subscription.unsubscribe();
    const theirs = read(one, 'd', {}, (message) => void message.nack(new TypeError('no such article'), 'dead'));
    await until(() => admin.put('d', 'theirs'));
    await until(() => expect(texts(letters)).toEqual(['ours', 'theirs']));
    const [byUs, byBroker] = letters.messages.map(({ id, headers }) => ({ id, headers: { ...headers } }));
    expect(byUs).toMatchObject({
      id: 'ours',
      headers: {
        'x-dead-reason': expect.stringContaining('no such article') as string,
        'x-dead-code': 'HANDLER_FAILED',
        'x-dead-topic': 'd',
        'x-dead-attempt': '1',
      },
    });
    expect(byBroker).toMatchObject({
      id: 'theirs',
      headers: { 'x-first-death-exchange': '', 'x-first-death-queue': 'd', 'x-first-death-reason': 'rejected' },
    });
    expect(byBroker?.headers).not.toHaveProperty('x-death');
    expect([theirs.errors, ours.errors, await admin.depth('d')]).toEqual([[], [], 0]);
  });

  it('leaves the ceiling to a quorum queue that has one', async () => {
    const { admin, link } = await bench(broker());
    const one = link({
      queues: [
        { name: 'l', deliveryLimit: 2, deadLetterExchange: '', deadLetterRoutingKey: 'l.dead' },
        { name: 'l.dead' },
      ],
    });
    const seen = read(
      one,
      'l',
      { requeueDelayMs: 0, maxAttempts: 100 },
      (message) => void message.nack(new Error('no')),
    );
    await until(() => admin.put('l', 'poison'));
    await until(async () => expect(await admin.depth('l.dead')).toBe(1));
    expect(seen.messages.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
  });

  it('tells what no queue takes, and throws it away only when it is told to (SNK-06)', async () => {
    const { link } = await bench(broker());
    const one = link({
      exchanges: [{ name: 'u' }],
      queues: [{ name: 'u' }],
      bindings: [{ queue: 'u', exchange: 'u', pattern: 'k' }],
    });
    const told = write(one, { exchange: 'u' });
    for (const key of ['nowhere', 'k', 'nowhere']) told.send(key);
    await until(() => expect(told.open).toHaveLength(0));
    expect([...told.settled].sort()).toEqual(['UNROUTABLE', 'UNROUTABLE', 'ack']);
    const silent = write(one, { exchange: 'u', mandatory: false });
    silent.send('nowhere');
    await until(() => expect(silent.settled).toEqual(['ack']));
  });

  it('hands back what a full queue refuses, and goes on when there is room (SNK-07, F8)', async () => {
    const { admin, link } = await bench(broker());
    const one = link({ queues: [{ name: 'f', type: 'classic', maxLength: 2 }] });
    const out = write(one, {});
    for (const text of ['a', 'b', 'c']) out.send('f', text);
    await until(() => expect(out.open).toHaveLength(0));
    expect([...out.settled].sort()).toEqual(['SINK_FAILED', 'ack', 'ack']);
    expect((await admin.drain('f')).map(({ content }) => content.toString())).toEqual(['a', 'b']);
    out.send('f', 'c');
    await until(() => expect(out.settled[3]).toBe('ack'));
  });

  it('stops sending while the broker is short of memory, and loses nothing (SNK-03, SNK-07, OBS-03)', async (context) => {
    const { control } = broker();
    if (control === undefined) context.skip(`${broker().how} takes no orders`);
    const { link } = await bench(broker());
    const one = link({ queues: [{ name: 'b', type: 'classic' }] });
    const out = write(one, { maxUnconfirmed: 10, confirmTimeoutMs: 300 });
    out.send('b');
    await until(() => expect(out.settled).toEqual(['ack']));
    onTestFinished(() => enoughMemory(broker()));
    await shortOfMemory(broker());
    // It is told with the first message after the alarm.
    for (let more = 0; more < 50; more += 1) out.send('b');
    const at = out.sink as unknown as { status: Status; unconfirmed: number; queued: number };
    await until(() => expect(at.status).toBe('degraded'));
    // The deadline to confirm, which does not run meanwhile, is over.
    const fromMs = performance.now();
    expect(await control?.('list_connections', 'state')).toMatch(/^block(ed|ing)$/m);
    await until(() => expect(performance.now() - fromMs).toBeGreaterThan(300));
    expect([at.status, out.settled.length, at.unconfirmed + at.queued]).toEqual(['degraded', 1, 50]);
    expect(at.unconfirmed).toBeLessThanOrEqual(10);
    await enoughMemory(broker());
    await until(() => expect(out.settled).toHaveLength(51));
    expect([new Set(out.settled), at.status]).toEqual([new Set(['ack']), 'connected']);
  });

  it('gives up what is larger than the broker takes, and sends on what is behind it (SNK-08)', async (context) => {
    const { evaluate } = broker();
    if (evaluate === undefined) context.skip(`${broker().how} takes no orders`);
    const limit = (bytes: number) => evaluate?.(`application:set_env(rabbit, max_message_size, ${bytes})`);
    const { link, admin } = await bench(broker());
    await limit(1_000);
    onTestFinished(async () => void (await limit(134_217_728)));
    const out = write(link({ queues: [{ name: 'g', type: 'classic' }] }), {});
    for (const text of ['a', 'b'.repeat(2_000), 'c', 'd'.repeat(3_000), 'e']) out.send('g', text);
    await until(() => expect(out.open).toHaveLength(0));
    expect([...out.settled].sort()).toEqual(['PAYLOAD_TOO_LARGE', 'PAYLOAD_TOO_LARGE', 'ack', 'ack', 'ack']);
    const there = (await admin.drain('g')).map(({ content }) => content.toString());
    expect([...new Set(there)]).toEqual(['a', 'c', 'e']);
  });

  it('hands what is longer than maxBytes to the dead letters, once, and the rest to the flow (S03, B10, F11)', async () => {
    const { link, admin } = await bench(broker());
    const queues = [{ name: 'long', deadLetterExchange: 'long.dead' }, { name: 'long.dead' }, { name: 'long.kept' }];
    const topology: AmqpTopology = {
      exchanges: [{ name: 'long.dead', type: 'fanout' }],
      queues,
      bindings: [{ queue: 'long.dead', exchange: 'long.dead' }],
    };
    const one = link(topology);
    const [max, more] = ['m'.repeat(1_048_576), 'x'.repeat(1_048_577)];
    const out = write(one, { maxBytes: 2_000_000 });
    const seen = read(one, 'long', { credit: 1 }, (message) => void message.ack());
    for (const text of ['a', more, max]) out.send('long', text);
    await until(() => expect(texts(seen)).toEqual(['a', max]));
    // The broker has all of it.
    const whole = await until(async () => {
      const [dead] = await admin.drain('long.dead');
      expect(dead).toBeDefined();
      return dead;
    });
    expect([whole?.content.length, whole?.properties.headers?.['x-first-death-reason']]).toEqual([
      1_048_577,
      'rejected',
    ]);
    seen.subscription.unsubscribe();
    const kept = amqpSource(one, { queue: 'long', closeTimeoutMs: 0, maxBytes: 100 }).pipe(
      deadLetter(amqpSink(one, { exchange: '', routingKey: 'long.kept' })),
    );
    const rest = collect(kept, (message) => void message.ack());
    onTestFinished(() => rest.subscription.unsubscribe());
    for (const text of [more, 'b']) out.send('long', text);
    await until(() => expect(texts(rest)).toEqual(['b']));
    const letter = await until(async () => {
      const [dead] = await admin.drain('long.kept');
      expect(dead).toBeDefined();
      return dead;
    });
    expect([letter?.content.length, letter?.properties.headers?.['x-dead-code']]).toEqual([100, 'PAYLOAD_TOO_LARGE']);
    expect([await admin.depth('long'), await admin.depth('long.dead')]).toEqual([0, 0]);
  });

  it('takes deep headers, and ends over those that are deeper than the client reads: they would come again (B24)', async () => {
    const { link, admin } = await bench(broker());
    const seen = read(link({ queues: [{ name: 'nested' }] }), 'nested', {}, (message) => void message.ack());
    await until(() => admin.put('nested', 'a'));
    await admin.with((channel) => putNested(channel, 'nested', 1_000));
    await until(() => expect(texts(seen)).toEqual(['a', 'n']));
    await admin.with((channel) => putNested(channel, 'nested', 20_000));
    await until(() => expect(seen.errors).toMatchObject([{ code: 'PROTOCOL_ERROR', retriable: false }]));
    expect(String(seen.errors)).toContain('take it out of its queue');
    // It is there for whoever looks into it.
    await until(async () => expect(await admin.depth('nested')).toBe(1));
    await admin.with((channel) => channel.deleteQueue('nested'));
  });

  it('gives up a message whose header the broker would route by, and sends on what is behind it (S25)', async () => {
    const { link, admin, proxy } = await bench(broker());
    const queues = ['cc', 'cc.copy'].map((name) => ({ name, type: 'classic' as const }));
    const { sink } = write(link({ queues }), { routingKey: 'cc' });
    const { message, settled } = recorder();
    // As a text the broker ends the channel over it, as a list it copies the message to that queue.
    for (const CC of ['cc.copy', ['cc.copy']]) sink.next(message(utf8.encode('no'), { headers: { CC } }));
    sink.next(message(utf8.encode('yes')));
    await until(() =>
      expect(settled.map(({ outcome, code }) => code ?? outcome)).toEqual(['ENCODE_FAILED', 'ENCODE_FAILED', 'ack']),
    );
    expect([await admin.depth('cc'), await admin.depth('cc.copy'), proxy.accepted]).toEqual([1, 0, 1]);
  });

  it('ends in time while the broker is short of memory, and leaves no connection (SHU-02)', async (context) => {
    const { evaluate } = broker();
    if (evaluate === undefined) context.skip(`${broker().how} takes no orders`);
    const { link, proxy } = await bench(broker());
    const out = write(link({ queues: [{ name: 'e', type: 'classic' }] }), { closeTimeoutMs: 300 });
    out.send('e');
    await until(() => expect(out.settled).toEqual(['ack']));
    onTestFinished(() => enoughMemory(broker()));
    await shortOfMemory(broker());
    out.send('e');
    await until(() => expect((out.sink as unknown as { status: Status }).status).toBe('degraded'));
    out.sink.complete();
    await out.sink.closed;
    expect(out.settled).toEqual(['ack', 'CONFIRM_TIMEOUT']);
    await until(() => expect(proxy.open).toBe(0));
  });

  it('sends again with the same id what was not confirmed when its connection was lost (SNK-02, SNK-05)', async () => {
    const { admin, link, proxy } = await bench(broker());
    const one = link({ queues: [{ name: 'r', type: 'classic' }] });
    const out = write(one, {});
    out.send('r', 'up');
    await until(() => expect(out.settled).toEqual(['ack']));
    proxy.blackhole('down');
    for (const text of ['x', 'y', 'z']) out.send('r', text);
    await until(async () => expect(await admin.depth('r')).toBe(4));
    proxy.heal();
    proxy.rst();
    await until(() => expect(out.settled).toEqual(['ack', 'ack', 'ack', 'ack']));
    const all = (await admin.drain('r')).map(
      ({ content, properties }) => `${content.toString()} ${String(properties.messageId)}`,
    );
    expect(all.map((one) => one.split(' ')[0])).toEqual(['up', 'x', 'y', 'z', 'x', 'y', 'z']);
    expect(all.slice(4)).toEqual(all.slice(1, 4));
  });

  it('shares a connection for reading and one for writing, or as many as it is told (S2.14)', async () => {
    const { admin, link, proxy } = await bench(broker());
    const use = async (over: AmqpLink, queue: string): Promise<void> => {
      const readers = Array.from({ length: 3 }, () => read(over, queue, {}, (message) => void message.ack()));
      const writers = Array.from({ length: 3 }, () => write(over, {}));
      for (const writer of writers) writer.send(queue);
      await until(() => expect(writers.map(({ settled }) => settled)).toEqual([['ack'], ['ack'], ['ack']]));
      await until(() => expect(readers.flatMap(({ messages }) => messages)).toHaveLength(3));
    };
    const queues = ['p1', 'p2'].map((name) => ({ name, type: 'classic' as const }));
    await use(link({ queues }), 'p1');
    expect(proxy.accepted).toBe(2);
    await use(link({ queues }, { connections: 2 }), 'p2');
    expect([proxy.accepted, await admin.depth('p2')]).toEqual([6, 0]);
  });

  it('ends a flow whose queue is not there, and nacks what goes to an exchange that is not (S2.38)', async () => {
    const { link } = await bench(broker());
    const seen = read(link(), 'nobody-declared-it', {});
    await until(() => expect(seen.errors).toMatchObject([{ code: 'CONFIG_INVALID', retriable: false }]));
    const out = write(link(), { exchange: 'nobody-declared-it' });
    out.send('anything');
    await until(() => expect(out.settled).toEqual(['CONFIG_INVALID']));
  });

  it('reads no stream, which forgets where its reader was, and says so', async () => {
    const { admin, link } = await bench(broker());
    await admin.with((channel) => channel.assertQueue('log', { arguments: { 'x-queue-type': 'stream' } }));
    const seen = read(link(), 'log', {});
    await until(() => expect(seen.errors).toMatchObject([{ code: 'CONFIG_INVALID', retriable: false }]));
    expect(String(seen.errors)).toContain('that is a stream, which cannot be read here');
  });

  it('gives every message of a fanout exchange to every queue, and a slow reader holds up no other (S3.43, S3.47)', async () => {
    const { admin, link } = await bench(broker());
    const names = ['w.1', 'w.2', 'w.slow'];
    const one = link({
      exchanges: [{ name: 'w', type: 'fanout' }],
      queues: names.map((name) => ({ name, type: 'classic' })),
      bindings: names.map((queue) => ({ queue, exchange: 'w' })),
    });
    const [first, second, slow] = names.map((name) =>
      read(one, name, { credit: 10 }, name === 'w.slow' ? undefined : (message) => void message.ack()),
    ) as [Collected<Uint8Array>, Collected<Uint8Array>, Collected<Uint8Array>];
    const out = write(one, { exchange: 'w' });
    for (const text of numbers(100)) out.send('price', text);
    await until(() => expect(out.settled).toEqual(numbers(100).map(() => 'ack')));
    await until(() => expect([texts(first), texts(second)]).toEqual([numbers(100), numbers(100)]));
    // It has as many as its credit says and settles none, the others wait for it at the broker.
    await until(() => expect(texts(slow)).toEqual(numbers(10)));
    expect(await admin.depth('w.slow')).toBe(90);
    for (let at = 0; at < 100; at += 1) {
      await until(() => expect(slow.messages.length).toBeGreaterThan(at));
      slow.messages[at]?.ack();
    }
    expect(texts(slow)).toEqual(numbers(100));
  });

  it('goes over TLS to a broker that is trusted, and to no other (SEC-01)', async (context) => {
    const { secured, how } = broker();
    if (secured === undefined) return context.skip(`${how}: it has no listener with TLS`);
    const { url, ca } = secured;
    const trusted = amqpLink({
      url,
      tls: { ca, servername: 'localhost' },
      topology: { queues: [{ name: 'secure', type: 'classic' }] },
    });
    const reader = read(trusted, 'secure', {}, (message) => void message.ack());
    const writer = write(trusted, { routingKey: 'secure' });
    for (const text of numbers(3)) writer.send('secure', text);
    await until(() => expect(texts(reader)).toEqual(numbers(3)));
    await until(() => expect(writer.settled).toEqual(['ack', 'ack', 'ack']));
    for (const tls of [{ servername: 'localhost' }, { ca, servername: 'broker.example' }]) {
      const refused = read(amqpLink({ url, tls }), 'secure', {});
      await until(() => expect(refused.errors).toMatchObject([{ code: 'AUTH_FAILED' }]));
      expect(String(refused.errors)).not.toContain('guest');
    }
  });

  it('asks what to trust before each connection, leaves the one that is open, and ends where that is of no use (S14, REC-12)', async (context) => {
    const { secured, how } = broker();
    if (secured === undefined) return context.skip(`${how}: it has no listener with TLS`);
    const { port } = new URL(secured.url);
    const proxy = await faultProxy({ port: Number(port) });
    onTestFinished(() => proxy.close());
    let current: { readonly ca?: string } = { ca: secured.ca };
    let asked = 0;
    const trusting = amqpLink({
      url: secured.url.replace(`:${port}`, `:${proxy.port}`),
      async tls() {
        asked += 1;
        return { servername: 'localhost', ...current };
      },
      topology: { queues: [{ name: 'renewed', type: 'classic' }] },
      reconnect,
    });
    const reader = read(trusting, 'renewed', {}, (message) => void message.ack());
    const writer = write(amqpLink({ url: broker().url, reconnect }), { routingKey: 'renewed' });
    await firstValueFrom(trusting.reading.status$.pipe(filter((status) => status === 'connected')));
    writer.send('renewed', 'before');
    await until(() => expect(texts(reader)).toEqual(['before']));
    current = {};
    writer.send('renewed', 'after');
    await until(() => expect(texts(reader)).toEqual(['before', 'after']));
    proxy.rst();
    await until(() => expect(reader.errors).toMatchObject([{ code: 'AUTH_FAILED', retriable: false }]));
    expect(asked).toBe(2);
  });

  it('asks for the password before each connection, and anew where it is refused what it was allowed before (S21)', async (context) => {
    const { control, evaluate } = broker();
    if (control === undefined || evaluate === undefined) return context.skip(`${broker().how} takes no orders`);
    const { link, proxy, events } = await bench(broker());
    // Configure, write and read.
    const permit = (what: string): Promise<string> =>
      evaluate(
        `rabbit_auth_backend_internal:set_permissions(<<"renewed">>, <<"/">>, ${`<<"${what}">>, `.repeat(3)}<<"test">>)`,
      );
    await control('add_user', 'renewed', 'hidden-1');
    onTestFinished(async () => void (await control('delete_user', 'renewed')));
    await permit('.*');
    let password = 'hidden-1';
    let asked = 0;
    let aheadMs = 0;
    let next = async (): Promise<unknown> => undefined;
    const one = link(
      { queues: [{ name: 'o', type: 'classic' }] },
      {
        username: 'renewed',
        async password() {
          asked += 1;
          await next();
          return password;
        },
        // What gives the password waits for orders of the broker's tool, of which a busy machine may do one in ten seconds.
        connectTimeoutMs: 60_000,
        // Only the test ages a connection: on a busy machine a refusal may come ten seconds after it was opened.
        clock: { ...systemClock, elapsed: () => aheadMs },
      },
    );
    const seen = read(one, 'o', {}, (message) => void message.ack());
    const out = write(one, {});
    out.send('o');
    await until(() => expect([out.settled, seen.messages.length, asked]).toEqual([['ack'], 1, 2]));

    password = 'hidden-2';
    await evaluate(`rabbit_auth_backend_internal:change_password(<<"renewed">>, <<"${password}">>, <<"test">>)`);
    proxy.rst();
    out.send('o');
    await until(() => expect([out.settled.length, seen.messages.length, asked]).toEqual([2, 2, 4]));

    // As with a token that has expired: what is there goes on, and nothing new is allowed until another one comes.
    await permit('^$');
    next = () => permit('.*');
    aheadMs = 60_000;
    const later = { seen: read(one, 'o', {}, (message) => void message.ack()), out: write(one, {}) };
    later.out.send('o', 'later');
    out.send('o');
    await until(() => expect([later.out.settled, out.settled.length, asked]).toEqual([['ack'], 3, 6]));
    // One of them twice where the connection went before the broker was told that it was acked.
    await until(() => expect(new Set([seen, later.seen].flatMap(texts))).toEqual(new Set(['s0', 's1', 's2', 'later'])));
    expect([...out.settled, ...seen.errors, ...later.seen.errors]).toEqual(['ack', 'ack', 'ack']);

    // The next one is allowed no more than the last: asking again would go on for ever.
    for (const { subscription } of [seen, later.seen]) subscription.unsubscribe();
    await permit('^$');
    next = async () => undefined;
    aheadMs = 120_000;
    const last = write(one, {});
    last.send('o');
    await until(() => expect([last.settled, asked]).toEqual([['AUTH_FAILED'], 7]));
    expect(inspect([events, one, last.settled], { depth: 20 })).not.toContain('hidden-');
  });

  it('speaks AMQP 0-9-1 (S2.37)', async (context) => {
    const { control } = broker();
    if (control === undefined) return context.skip(`${broker().how} takes no orders`);
    const { admin, link } = await bench(broker());
    const named = link({ queues: [{ name: 'spoken', type: 'classic' }] }, { name: 'speaker' });
    const seen = read(named, 'spoken', {}, (message) => void message.ack());
    const out = write(named, {});
    out.send('spoken');
    await until(() => expect([out.settled, seen.messages.length]).toEqual([['ack'], 1]));
    const connections = (await control('list_connections', 'client_properties', 'protocol')).split('\n');
    const ours = connections.filter((line) => line.includes('speaker')).map((line) => line.split('\t').at(-1));
    expect(ours).toEqual(['{0,9,1}', '{0,9,1}']);
    expect(await admin.depth('spoken')).toBe(0);
  });

  it('finds a peer that is gone within 15 s with default options, also when nothing is said (REC-05, G8)', async (context) => {
    const { control } = broker();
    const { link, proxy, reasons, admin } = await bench(broker());
    const one = link({ queues: [{ name: 'h', type: 'classic' }] });
    const seen = read(one, 'h', {}, (message) => void message.ack());
    await until(() => admin.put('h', 'one'));
    await until(() => expect(seen.messages).toHaveLength(1));
    if (control !== undefined) expect(await control('list_connections', 'timeout')).toMatch(/^5$/m);
    else await context.annotate('the heartbeat that was agreed on is not looked at: the broker takes no orders');
    // The broker goes on to hear us: it does not hang up, we have to.
    proxy.blackhole('down');
    const fromMs = performance.now();
    await until(() => expect(reasons('PEER_LOST')).not.toHaveLength(0));
    expect(performance.now() - fromMs).toBeLessThanOrEqual(15_500);
    proxy.heal();
    proxy.rst();
    await until(() => admin.put('h', 'two'));
    await until(() => expect(seen.messages).toHaveLength(2));
  });
});
