import { filter, firstValueFrom } from 'rxjs';
import { beforeEach, describe, expect, it } from 'vitest';
import { run, systemClock, type Message } from 'sluice';
import { kafkaSink, kafkaSource, type KafkaDriverName, type KafkaSourceOptions } from 'sluice/kafka';
import { faultProxy } from 'sluice/testing-node';
import type { KafkaOffset } from '../../src/links/kafka-driver.js';
import { DRIVERS, linkTo } from '../../src/links/kafka.js';
import type { KafkaBroker } from '../brokers/kafka.js';
import { watchedKafka } from '../chaos/watched-kafka.js';
import { collect, type Collected } from '../helpers/collect.js';
import { kafkaAdmin, lagOf } from '../helpers/kafka-admin.js';
import { kafkaHands, reconnect, text, timing } from '../helpers/kafka-hands.js';
import { recorder } from '../helpers/message.js';
import { until } from '../helpers/until.js';

const utf8 = new TextEncoder();
const pause = (ms: number): Promise<void> => new Promise((resolve) => void systemClock.timer(ms, resolve));
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

/** What a real broker shows of groups, positions and order, beyond the cases that every connector has. */
export function kafkaBehaviour(broker: () => KafkaBroker, driver: KafkaDriverName): void {
  describe(`Kafka over ${driver}, on a real broker`, () => {
    beforeEach((context) => {
      if (!broker().isReal)
        context.skip(`${broker().how}: it makes no topics on demand, and has neither limits nor logins`);
    });
    const { linkOf, topic, write, committed, read } = kafkaHands(broker, driver);

    it('keeps every message and the order of each key while members come and go under load (S3.22, REC-10)', async () => {
      const name = await topic(6);
      const keys = Array.from({ length: 12 }, (_, at) => `k${at}`);
      const total = 3_000;
      const seen = new Map<string, number[]>();
      let deliveries = 0;
      let disorder = 0;
      const take = (message: Message<Uint8Array>): void => {
        deliveries += 1;
        const [key = '', at = ''] = text(message.payload).split(' ');
        const list = seen.get(key) ?? [];
        const last = list.at(-1) ?? -1;
        // What comes again may go back; what is new may not leave out any.
        if (Number(at) > last + 1) disorder += 1;
        list.push(Number(at));
        seen.set(key, list);
        systemClock.timer(deliveries % 3, () => void message.ack());
      };
      const member = (): Collected<Uint8Array> => read(name, { credit: 32 }, take);
      const members = [member(), member()];
      const sink = kafkaSink(linkOf(), {
        topic: name,
        maxUnconfirmed: 200,
        maxQueued: total,
      });
      const { message, log } = recorder();
      for (let at = 0; at < total; at += 1) {
        const key = keys[at % keys.length] as string;
        sink.next(message(utf8.encode(`${key} ${Math.floor(at / keys.length)}`), { key }));
      }
      const different = (): number => sum([...seen.values()].map((list) => new Set(list).size));
      for (let round = 1; round <= 4; round += 1) {
        await until(() => expect(different()).toBeGreaterThan((total * round) / 6));
        members.push(member());
        await pause(200);
        members.shift()?.subscription.unsubscribe();
      }
      await until(() => expect(different()).toBe(total));
      sink.complete();
      await sink.closed;
      expect([log.length, disorder]).toEqual([total, 0]);
      for (const { subscription } of members) subscription.unsubscribe();
      await until(async () => expect(sum(await committed(`${name}-group`, name))).toBe(total));
      // Each leave is in order, and what is emitted is settled in milliseconds: what moved was settled and committed.
      expect(deliveries).toBe(total);
    });

    it('shares a group with members over the other driver, whichever of them leads it', async () => {
      const name = await topic(4);
      const other = driver === 'kafkajs' ? '@platformatic/kafka' : 'kafkajs';
      const member = (by: KafkaDriverName): Collected<Uint8Array> =>
        collect(
          kafkaSource(linkOf({ driver: by }), { topics: [name], group: `${name}-group`, ...timing, reconnect }),
          (message) => void message.ack(),
        );
      const fill = (round: number): Promise<void> =>
        write(
          name,
          Array.from({ length: 40 }, (_, at) => ({ partition: at % 4, value: `${round} ${at}` })),
        );
      const partitions = ({ messages }: Collected<Uint8Array>, round: number): number =>
        new Set(
          messages
            .filter(({ payload }) => text(payload).startsWith(`${round} `))
            .map(({ meta }) => (meta as { partition: number }).partition),
        ).size;
      // Whoever is first leads the group.
      const members = [member(driver), member(other)] as const;
      let round = 0;
      // Messages, until each partition of one round went where it belongs.
      const shared = (...expected: readonly number[]): Promise<void> =>
        until(async () => {
          await fill((round += 1));
          const counts = (): number[] => members.map((one) => partitions(one, round));
          await until(() => expect(sum(counts())).toBeGreaterThanOrEqual(4));
          expect(counts()).toEqual(expected);
        });
      await shared(2, 2);
      members[0].subscription.unsubscribe();
      await shared(0, 4);
      // What the writer beside it sent twice, as it may to a topic that is new, is committed too.
      await until(async () => expect(await lagOf(broker(), name, `${name}-group`)).toBe(0));
      const payloads = members.flatMap((one) => one.payloads.map(text));
      expect(new Set(payloads).size).toBe(round * 40);
      members[1].subscription.unsubscribe();
    });

    it('goes on heartbeating while one message takes longer than the session, and reads the other partitions', async () => {
      const name = await topic(2);
      await write(name, [
        { partition: 0, value: 'slow' },
        ...Array.from({ length: 50 }, (_, at) => ({ partition: 1, value: `fast ${at}` })),
      ]);
      let slow: Message<Uint8Array> | undefined;
      const reader = read(name, { credit: 4, sessionTimeoutMs: 1_500, revokeTimeoutMs: 500 }, (message) => {
        if (text(message.payload) === 'slow') slow = message;
        else message.ack();
      });
      await until(() => expect(reader.messages).toHaveLength(51));
      await pause(3_000);
      expect(slow?.ack()).toBe(true);
      await until(async () => expect(await committed(`${name}-group`, name)).toEqual([1, 50]));
      expect(reader.messages).toHaveLength(51);
      reader.subscription.unsubscribe();
    });

    it('begins where it is told to, and once more with replay (S3.19, DEL-07)', async () => {
      const name = await topic(1);
      const at = 1_700_000_000_000;
      await write(
        name,
        Array.from('abcde', (value, index) => ({ partition: 0, value, timestamp: String(at + index * 1_000) })),
      );
      const shown = async (options: Partial<KafkaSourceOptions>, count: number): Promise<string> => {
        const reader = read(name, options);
        await until(() => expect(reader.messages.length).toBeGreaterThanOrEqual(count));
        await pause(100);
        reader.subscription.unsubscribe();
        return reader.payloads.map(text).join('');
      };
      expect(await shown({ group: `${name}-1` }, 5)).toBe('abcde');
      expect(await shown({ group: `${name}-2`, from: { offsets: { [name]: { 0: 3 } } } }, 2)).toBe('de');
      expect(await shown({ group: `${name}-3`, from: { timeMs: at + 1_500 } }, 3)).toBe('cde');
      await until(async () => expect(await committed(`${name}-1`, name)).toEqual([5]));
      expect(await shown({ group: `${name}-1`, replay: true }, 5)).toBe('abcde');
      const late = read(name, { group: `${name}-4`, from: 'latest' });
      await until(async () => expect(await committed(`${name}-4`, name)).toEqual([5]));
      await write(name, [{ partition: 0, value: 'f' }]);
      await until(() => expect(late.payloads.map(text)).toEqual(['f']));
      late.subscription.unsubscribe();
    });

    it('goes on with the first message that is kept where its position is older, and has the group know it', async () => {
      const name = await topic(1);
      const group = `${name}-old`;
      const add = (values: string): Promise<void> =>
        write(
          name,
          Array.from(values, (value) => ({ partition: 0, value })),
        );
      await add('ab');
      const before = read(name, { group });
      await until(async () => expect(await committed(group, name)).toEqual([2]));
      before.subscription.unsubscribe();
      await add('cdefg');
      await kafkaAdmin(broker(), async (admin) => {
        // It has to have heard of the topic.
        await admin.fetchTopicOffsets(name);
        await admin.deleteTopicRecords({ topic: name, partitions: [{ partition: 0, offset: '5' }] });
      });
      const reader = read(name, { group, from: 'latest' }, () => undefined);
      await until(() => expect(reader.payloads.map(text)).toEqual(['f', 'g']));
      // Who came now would begin there as well, and not behind what this one has not settled.
      expect(await committed(group, name)).toEqual([2]);
      for (const message of reader.messages) message.ack();
      await until(async () => expect(await committed(group, name)).toEqual([7]));
      await add('h');
      await until(() => expect(reader.payloads.map(text)).toEqual(['f', 'g', 'h']));
      reader.subscription.unsubscribe();
    });

    it('moves what fails through retry topics to the dead letters, with the reason, and commits it (S3.84, S3.85, ERR-04)', async () => {
      const [name, retry, dead] = [await topic(1), await topic(1), await topic(1)];
      await write(name, [
        { partition: 0, key: 'bad', value: 'bad', headers: { own: 'x' } },
        { partition: 0, key: 'good', value: 'good' },
      ]);
      const attempts: string[] = [];
      const options = { retryTopics: [{ topic: retry, delayMs: 300 }], deadTopic: dead, maxAttempts: 3 };
      const reader = read(name, options, (message) => {
        attempts.push(`${text(message.payload)} ${message.attempt} ${message.topic === name}`);
        if (text(message.payload) === 'bad') message.nack(new Error('cannot be'));
        else message.ack();
      });
      const letters = read(dead, {});
      await until(() => expect(letters.messages).toHaveLength(1));
      expect(attempts).toEqual(['bad 1 true', 'good 1 true', 'bad 2 true', 'bad 3 true']);
      const [letter] = letters.messages;
      expect([letter?.key, text(letter?.payload ?? null)]).toEqual(['bad', 'bad']);
      expect({ ...letter?.headers }).toMatchObject({
        own: 'x',
        'x-dead-reason': expect.stringContaining('cannot be') as string,
        'x-dead-code': 'ATTEMPTS_EXHAUSTED',
        'x-dead-topic': name,
        'x-dead-attempt': '3',
      });
      expect(letter?.headers['x-dead-position']).toContain(`topic ${retry}, partition 0`);
      const group = `${name}-group`;
      await until(async () =>
        expect([await committed(group, name), await committed(group, retry)]).toEqual([[2], [2]]),
      );
      reader.subscription.unsubscribe();
      letters.subscription.unsubscribe();
    });

    it('copies in transactions, each message once, while connections break (DEL-08)', async (context) => {
      const behind = broker().behindProxy;
      if (behind === undefined) context.skip(`${broker().how}: it has no listener for a proxy`);
      const { port, advertisedPort } = behind as NonNullable<typeof behind>;
      const [name, copy] = [await topic(2), await topic(2)];
      const total = 2_000;
      const input = Array.from({ length: total }, (_, at) => ({
        partition: at % 2,
        key: `k${at % 7}`,
        value: `m${at}`,
      }));
      await write(name, input);
      const proxy = await faultProxy({ port, listenPort: advertisedPort });
      const link = linkOf({ brokers: [`127.0.0.1:${proxy.port}`] });
      const from = { topics: [name], group: `${name}-copy`, credit: 100, transactional: true, ...timing, reconnect };
      const copying = run(
        kafkaSource(link, { ...from, sessionTimeoutMs: 1_500, revokeTimeoutMs: 500 }),
        kafkaSink(link, { topic: copy, transactionalId: `${name}-copy`, reconnect, maxUnconfirmed: 100 }),
      );
      const reader = read(copy, {});
      for (let cut = 1; cut <= 4; cut += 1) {
        await until(() => expect(reader.messages.length).toBeGreaterThan((total * cut) / 6));
        proxy.rst();
      }
      await until(() => expect(reader.messages.length).toBeGreaterThanOrEqual(total));
      await until(async () => expect(sum(await committed(`${name}-copy`, name))).toBe(total));
      await copying.stop();
      await pause(300);
      expect(reader.messages).toHaveLength(total);
      expect(new Set(reader.payloads.map(text)).size).toBe(total);
      reader.subscription.unsubscribe();
      await proxy.close();
    });

    it('takes nothing for committed that the group never heard of, when a member ends meanwhile (ACK-12)', async (context) => {
      const behind = broker().behindProxy;
      if (behind === undefined) context.skip(`${broker().how}: it has no listener for a proxy`);
      const { port, advertisedPort } = behind as NonNullable<typeof behind>;
      const name = await topic(1);
      await write(
        name,
        ['a', 'b', 'c'].map((value) => ({ partition: 0, value })),
      );
      const proxy = await faultProxy({ port, listenPort: advertisedPort });
      const heard: KafkaOffset[] = [];
      const watched = watchedKafka(DRIVERS[driver], {
        committed: (at) => void heard.push(at),
        assigned: () => undefined,
      });
      const link = linkTo(watched, { brokers: [`127.0.0.1:${proxy.port}`], reconnect });
      const reader = collect(
        kafkaSource(link, { topics: [name], group: `${name}-unheard`, ...timing, commitEvery: 3 }),
      );
      await until(() => expect(reader.messages).toHaveLength(3));
      const closed = firstValueFrom(link.status$.pipe(filter((status) => status === 'closed')));
      const before = heard.length;
      proxy.blackhole();
      for (const message of reader.messages) message.ack();
      reader.subscription.unsubscribe();
      await closed;
      expect(heard.slice(before)).toEqual([]);
      expect(await committed(`${name}-unheard`, name)).toEqual([0]);
      await proxy.close();
    });
  });
}
