import { randomBytes } from 'node:crypto';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import {
  decode,
  each,
  encode,
  fromAsyncIterable,
  json,
  observe,
  run,
  type Flow,
  type Mapper,
  type SluiceEvent,
} from 'sluice';
import { kafkaLink, kafkaSink, kafkaSource, type KafkaLink } from 'sluice/kafka';
import { brokerSuite } from '../brokers/broker-suite.js';
import { kafka } from '../brokers/kafka.js';
import { lagOf, makeTopic } from '../helpers/kafka-admin.js';
import { consume } from '../helpers/consume.js';
import { encrypted } from '../helpers/encrypted.js';
import { codeOf } from '../helpers/stage.js';
import { until } from '../helpers/until.js';

interface Order {
  readonly id: number;
  readonly symbol: string;
  readonly price: number;
}

interface Trade {
  readonly order: number;
  readonly symbol: string;
  readonly price: number;
}

interface Change {
  readonly name: string;
  readonly version: number;
}

const byVersion = (seen: readonly Change[]): Change[] => seen.toSorted((a, b) => a.version - b.version);

/** Services share nothing: each has links and a group of its own, and knows topics alone. */
brokerSuite('Services that talk over Kafka', kafka, (broker) => {
  const link = (): KafkaLink => kafkaLink({ brokers: [broker().url] });

  beforeEach((context) => {
    if (!broker().isReal) context.skip(`${broker().how}: it makes no topics on demand`);
  });

  async function topics(...names: readonly string[]): Promise<void> {
    for (const name of names) await makeTopic(broker(), name, 2);
  }

  function reading<T>(topic: string, service: string): Flow<T> {
    const source = kafkaSource(link(), { topics: [topic], group: `${topic}.${service}`, from: 'earliest' });
    return source.pipe(decode(json<T>()));
  }

  const publish = (topic: string, events: readonly object[]): Promise<unknown> =>
    run(fromAsyncIterable(events).pipe(encode(json())), kafkaSink(link(), { topic })).done;

  /** What a service is told, until the test has ended. It begins with the next one once `work` is done. */
  function told<T>(topic: string, service: string, work: (event: T) => unknown = () => undefined): T[] {
    const seen: T[] = [];
    const keep = async (event: T): Promise<void> => {
      seen.push(event);
      await work(event);
    };
    const subscription = reading<T>(topic, service).pipe(each(keep)).subscribe();
    onTestFinished(() => subscription.unsubscribe());
    return seen;
  }

  it('submits orders to an engine that comes later, and trades to market data (S3.1, S3.42, S3.55, S3.56)', async () => {
    await topics('order.submitted.v1', 'trade.done.v1');
    const orders = Array.from({ length: 100 }, (_, id): Order => ({ id, symbol: `S${id % 5}`, price: id + 0.5 }));
    // Done as soon as the broker has them: nobody reads yet.
    await publish('order.submitted.v1', orders);
    const match = ({ id, symbol, price }: Order): Trade => ({ order: id, symbol, price });
    const engine = run(
      reading<Order>('order.submitted.v1', 'engine').pipe(each(match), encode(json())),
      kafkaSink(link(), { topic: 'trade.done.v1' }),
    );
    const trades = told<Trade>('trade.done.v1', 'market-data');
    await until(() => expect(trades).toHaveLength(orders.length));
    expect(trades.toSorted((a, b) => a.order - b.order)).toEqual(orders.map(match));
    expect((await engine.stop()).clean).toBe(true);
    expect(await lagOf(broker(), 'order.submitted.v1', 'order.submitted.v1.engine')).toBe(0);
  });

  it.each([
    ['configuration changes from metadata (S3.58)', 'config.changed.v1', 'fee'],
    ['balance changes from the wallet (S3.60)', 'wallet.balance.changed.v1', 'account a'],
  ])('tells every service of %s, and none waits for a slow one (S3.43, S3.47)', async (_what, topic, name) => {
    await topics(topic);
    let goOn = (): void => undefined;
    const slow = told<Change>(topic, 'slow', () => new Promise<void>((resolve) => (goOn = resolve)));
    const others = ['order', 'engine', 'market-data', 'user'].map((service) => told<Change>(topic, service));
    const changes = Array.from({ length: 20 }, (_unused, version): Change => ({ name, version }));
    await publish(topic, changes);
    await until(() => expect(others.map(byVersion)).toEqual(others.map(() => changes)));
    await until(() => expect(slow).toHaveLength(1));
    await until(() => {
      goOn();
      expect(byVersion(slow)).toEqual(changes);
    });
  });

  it('tells the user service of what the auth service did, which is down by then (S3.20, S3.59)', async () => {
    await topics('user.event.v1');
    const events = [
      { type: 'registered', user: 'ada' },
      { type: 'locked', user: 'ada' },
    ];
    await publish('user.event.v1', events);
    const seen = told<(typeof events)[number]>('user.event.v1', 'user');
    await until(() => expect(seen.map(({ type }) => type).toSorted()).toEqual(['locked', 'registered']));
  });

  it('lets nobody read what is encrypted but who has the key, whose name comes with it (S3.99)', async () => {
    const topic = 'wallet.secret.v1';
    await topics(topic);
    const keys = new Map(['2025', '2026'].map((name) => [name, randomBytes(32)]));
    const balances: Change[] = [1, 2].map((version) => ({ name: 'account a', version }));
    const sealed = (current: string): Mapper<Change> => encrypted(json<Change>(), keys, current);
    const send = (mapper: Mapper<Change>, change: Change): Promise<unknown> =>
      run(fromAsyncIterable([change]).pipe(encode(mapper)), kafkaSink(link(), { topic })).done;
    const [first, second] = balances as [Change, Change];
    // Written with the key of the year before, with that of this year, with one that nobody here has, and changed on its way.
    await send(sealed('2025'), first);
    await send(sealed('2026'), second);
    await send(encrypted(json<Change>(), new Map([['theirs', randomBytes(32)]]), 'theirs'), first);
    const spoiled = sealed('2026').encode(first);
    spoiled.set([(spoiled.at(-1) ?? 0) ^ 1], spoiled.length - 1);
    await send({ ...sealed('2026'), encode: () => spoiled }, first);
    const source = (service: string): Flow<Uint8Array> =>
      kafkaSource(link(), { topics: [topic], group: `${topic}.${service}`, from: 'earliest' });

    const dead: string[] = [];
    const hear = (event: SluiceEvent): void => {
      if (event.type === 'message.nacked') dead.push(`${event.then} ${codeOf(event.reason)}`);
    };
    onTestFinished(observe(hear));
    const read = consume(source('wallet').pipe(decode(sealed('2026'))));
    onTestFinished(() => read.unsubscribe());
    await until(() => expect(byVersion(read.messages.map(({ payload }) => payload))).toEqual(balances));
    await until(() => expect(dead).toEqual(['dead DECODE_FAILED', 'dead DECODE_FAILED']));
    const stored = consume(source('operator'));
    onTestFinished(() => stored.unsubscribe());
    await until(() => expect(stored.messages).toHaveLength(4));
    for (const { payload } of stored.messages) expect(Buffer.from(payload).toString()).not.toContain('account');
  });
});
