import { inspect } from 'node:util';
import zlib from 'node:zlib';
import { beforeEach, describe, expect, it } from 'vitest';
import { isSluiceError, observe, systemClock, type SluiceEvent } from 'sluice';
import { CompressionTypes, Kafka, logLevel, type IHeaders, type Producer, type Transaction } from 'kafkajs';
import { kafkaLink, kafkaSink, kafkaSource, type KafkaDriverName, type KafkaLink } from 'sluice/kafka';
import { faultProxy } from 'sluice/testing-node';
import type { KafkaBroker, KafkaLogin } from '../brokers/kafka.js';
import { makeCertificate, type Certificate } from '../helpers/certificate.js';
import { collect, type Collected } from '../helpers/collect.js';
import { kafkaHands, reconnect, text, timing } from '../helpers/kafka-hands.js';
import { lasts } from '../helpers/lasts.js';
import { recorder } from '../helpers/message.js';
import { until } from '../helpers/until.js';

const utf8 = new TextEncoder();

/** What a real broker shows of records and connections, beyond the cases that every connector has. */
export function kafkaRecords(broker: () => KafkaBroker, driver: KafkaDriverName): void {
  describe(`Kafka records over ${driver}, on a real broker`, () => {
    beforeEach((context) => {
      if (!broker().isReal)
        context.skip(`${broker().how}: it makes no topics on demand, and has neither limits nor logins`);
    });
    const { linkOf, topic, write, read, committed } = kafkaHands(broker, driver);

    it('gives what came with each record: tombstones, keys that are no text, headers twice, no headers (B22)', async () => {
      const name = await topic(1);
      await write(name, [
        { partition: 0, key: 'k', value: null },
        { partition: 0, key: Buffer.of(255), value: '', headers: { a: ['1', '2'], b: Buffer.of(255) } },
        { partition: 0, key: null, value: 'v', timestamp: '1234567890123' },
      ]);
      const { messages, payloads, subscription } = read(name, { tombstones: true });
      await until(() => expect(messages).toHaveLength(3));
      expect(payloads.map(text)).toEqual(['null', '', 'v']);
      expect(messages.map(({ key }) => key)).toEqual(['k', 'ff', undefined]);
      expect({ ...messages[1]?.headers }).toEqual({ a: ['1', '2'], b: Buffer.of(255) });
      expect([messages[2]?.timeMs, messages[2]?.id]).toEqual([1_234_567_890_123, `${name}-0-2`]);
      subscription.unsubscribe();
    });

    it('gives headers of any name, and any number of them at once (B06, B21)', async () => {
      const name = await topic(1);
      const odd = JSON.parse('{"__proto__":"p","constructor":["c","d"],"toString":"t","":"e"}') as IHeaders;
      const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`h${at}`, String(at)]));
      await write(name, [
        { partition: 0, value: 'a', headers: odd },
        { partition: 0, value: 'b', headers: many },
        { partition: 0, value: 'c', headers: { one: '1' } },
      ]);
      const { messages, payloads, subscription } = read(name, {});
      await until(() => expect(payloads.map(text)).toEqual(['a', 'b', 'c']));
      expect(messages.map(({ headers }) => Object.entries(headers))).toEqual(
        [odd, many, { one: '1' }].map((headers) => Object.entries(headers)),
      );
      subscription.unsubscribe();
    });

    it('gives nothing of transactions that were aborted, and all of the others, however they lie across one another', async () => {
      const name = await topic(1);
      const client = new Kafka({ brokers: [broker().url], logLevel: logLevel.NOTHING });
      const writers = await Promise.all(
        ['one', 'two'].map(async (id) => {
          const writer = client.producer({
            transactionalId: `${name}-${id}`,
            maxInFlightRequests: 1,
            idempotent: true,
          });
          await writer.connect();
          return writer;
        }),
      );
      const begin = (at: number): Promise<Transaction> => (writers[at] as Producer).transaction();
      const put = (to: Pick<Transaction, 'send'>, value: string): Promise<unknown> =>
        to.send({ topic: name, messages: [{ partition: 0, value }] });
      const [long, short] = [await begin(0), await begin(1)];
      await put(long, 'no');
      await put(short, 'no');
      await short.abort();
      const kept = await begin(1);
      await put(kept, 'a');
      await put(long, 'no');
      await kept.commit();
      await long.abort();
      const last = await begin(0);
      await put(last, 'b');
      await last.commit();
      await Promise.all(writers.map((writer) => writer.disconnect()));
      // From each offset on there is: who begins later finds other transactions half over.
      for (let offset = 0; offset <= 7; offset += 1) {
        const reader = read(name, { group: `${name}-${offset}`, from: { offsets: { [name]: { 0: offset } } } });
        const expected = offset <= 3 ? 'ab' : 'b';
        await until(() => expect(reader.payloads.map(text).join('')).toBe(expected));
        reader.subscription.unsubscribe();
      }
    });

    it('takes a reader for well that may not read on: behind what is aborted, and before what is not committed (REC-06)', async () => {
      const name = await topic(1);
      const writer = new Kafka({ brokers: [broker().url], logLevel: logLevel.NOTHING }).producer({
        transactionalId: name,
        maxInFlightRequests: 1,
        idempotent: true,
      });
      await writer.connect();
      const begun = async (value: string): Promise<Transaction> => {
        const transaction = await writer.transaction();
        await transaction.send({ topic: name, messages: [{ partition: 0, value }] });
        return transaction;
      };
      const first = await begun('a');
      await first.commit();
      const degraded: SluiceEvent[] = [];
      const stop = observe((event) => {
        if (event.type === 'status.changed' && event.to === 'degraded') degraded.push(event);
      });
      const reader = read(name, { stallTimeoutMs: 200 });
      await until(() => expect(reader.payloads.map(text)).toEqual(['a']));
      const aborted = await begun('no');
      await aborted.abort();
      await lasts(1_500);
      const open = await begun('b');
      await lasts(1_500);
      expect(degraded).toEqual([]);
      await open.commit();
      await until(() => expect(reader.payloads.map(text)).toEqual(['a', 'b']));
      stop();
      reader.subscription.unsubscribe();
      await writer.disconnect();
    });

    it('fails only the message that is at fault: one too large for the topic, one for a topic that is not there', async () => {
      const name = await topic(1);
      const sink = kafkaSink(linkOf(), { maxBytes: 2_000_000, reconnect });
      const { message, log } = recorder();
      sink.next(message(utf8.encode('one'), { topic: name }));
      sink.next(message(new Uint8Array(1_500_000), { topic: name }));
      sink.next(message(utf8.encode('two'), { topic: name }));
      sink.next(message(utf8.encode('lost'), { topic: 'nowhere' }));
      sink.complete();
      await sink.closed;
      const outcomes = log.map((line) => line.replace(/^(\d+ bytes|[\d,]+) /, ''));
      expect(outcomes.sort()).toEqual(['ack', 'ack', 'dead PAYLOAD_TOO_LARGE', 'dead UNROUTABLE']);
      const reader = read(name, {});
      await until(() => expect(reader.payloads.map(text).sort().join()).toContain('one'));
      expect(new Set(reader.payloads.map(text))).toEqual(new Set(['one', 'two']));
      reader.subscription.unsubscribe();
    });

    it('fails only the record that is at fault: one without a key for a compacted topic, one from the future (ERR-02, F10)', async () => {
      const name = await topic(1, { 'cleanup.policy': 'compact' });
      const sink = kafkaSink(linkOf(), { topic: name, reconnect });
      const { message, log } = recorder();
      sink.next(message(utf8.encode('one'), { key: 'k' }));
      sink.next(message(utf8.encode('keyless')));
      sink.next(message(utf8.encode('early'), { key: 'k', timeMs: Date.now() + 86_400_000 * 365 }));
      sink.next(message(utf8.encode('two'), { key: 'k' }));
      await until(() => expect(log).toHaveLength(4));
      const outcomes = log.map((line) => line.replace(/^(\d+ bytes|[\d,]+) /, ''));
      expect(outcomes.sort()).toEqual(['ack', 'ack', 'dead SINK_FAILED', 'dead SINK_FAILED']);
      sink.complete();
      await sink.closed;
    });

    it('writes each key where the Java client does, compressed where it is asked to', async () => {
      const name = await topic(3);
      const sink = kafkaSink(linkOf(), { topic: name, compression: 'gzip' });
      const { message } = recorder();
      // What kafka-clients 4.1.1 gives for three partitions.
      const expected = new Map([
        ['21', 0],
        ['ä', 2],
        ['漢字😀', 1],
      ]);
      for (const key of expected.keys()) sink.next(message(utf8.encode(key), { key }));
      sink.complete();
      await sink.closed;
      const reader = read(name, {});
      await until(() => expect(reader.messages).toHaveLength(3));
      for (const { key, meta } of reader.messages)
        expect(`${key} ${(meta as { partition: number }).partition}`).toBe(`${key} ${expected.get(key as string)}`);
      reader.subscription.unsubscribe();
    });

    it('reads what a broker has packed in a way that the driver knows, and ends on what it does not', async () => {
      const ways = { gzip: true, snappy: false, lz4: false, zstd: false };
      if (driver !== 'kafkajs') Object.assign(ways, { snappy: true, lz4: true, zstd: 'zstdDecompressSync' in zlib });
      for (const [way, isKnown] of Object.entries(ways)) {
        const name = await topic(1, { 'compression.type': way });
        const values = Array.from({ length: 50 }, (_, at) => `${at} ${'text '.repeat(at)}`);
        await write(
          name,
          values.map((value) => ({ partition: 0, value })),
        );
        const reader = read(name, {});
        if (isKnown) await until(() => expect(reader.payloads.map(text)).toEqual(values));
        else await until(() => expect(reader.errors).toMatchObject([{ code: 'PROTOCOL_ERROR', retriable: false }]));
        reader.subscription.unsubscribe();
      }
    });

    it('gives the first bytes of what is longer than maxBytes to the dead topic, once, and all around it to the flow (S03, B10, F11)', async () => {
      const [name, deadTopic] = [await topic(1, { 'max.message.bytes': '4000000' }), await topic(1)];
      const values = ['a', 'b'.repeat(1_048_576), 'c'.repeat(1_048_577), 'd'];
      for (const value of values) await write(name, [{ partition: 0, value }]);
      const reader = read(name, { deadTopic, commitIntervalMs: 20, creditBytes: 100_000 });
      await until(() => expect(reader.payloads.map(({ length }) => length)).toEqual([1, 1_048_576, 1]));
      const dead = read(deadTopic, {});
      await until(() => expect(dead.payloads.map(text)).toEqual(['c'.repeat(65_536)]));
      expect(dead.messages[0]?.headers).toMatchObject({
        'x-dead-code': 'PAYLOAD_TOO_LARGE',
        'x-dead-position': `topic ${name}, partition 0, offset 2`,
      });
      await until(async () => expect(await committed(`${name}-group`, name)).toEqual([4]));
      for (const { subscription } of [reader, dead]) subscription.unsubscribe();
    });

    it('gives a batch that unpacks to too much to the dead topic, once, and all around it to the flow (S04, B11, F12)', async () => {
      const [name, deadTopic] = [await topic(1), await topic(1)];
      await write(name, [{ partition: 0, value: 'a' }]);
      const bomb = { partition: 0, value: Buffer.alloc(32 * 1_048_576) };
      await write(name, [bomb, { partition: 0, value: 'with it' }], CompressionTypes.GZIP);
      await write(name, [{ partition: 0, value: 'b' }], CompressionTypes.GZIP);
      const reader = read(name, { deadTopic, commitIntervalMs: 20 });
      await until(() => expect(reader.payloads.map(text)).toEqual(['a', 'b']));
      const dead = read(deadTopic, {});
      await until(() => expect(dead.messages).toHaveLength(1));
      expect(zlib.gunzipSync(dead.payloads[0] as Uint8Array).length).toBeGreaterThan(bomb.value.length);
      expect(dead.messages[0]?.headers).toMatchObject({
        'x-dead-code': 'PAYLOAD_TOO_LARGE',
        'x-dead-position': `topic ${name}, partition 0, offset 2`,
        'x-dead-reason': 'kafka: the batch of offsets 1 to 2 unpacks to more than 16777216 bytes.',
      });
      await until(async () => expect(await committed(`${name}-group`, name)).toEqual([4]));
      reader.subscription.unsubscribe();
      // Where it says so more may come out, up to the largest message.
      const options = { maxBufferedBytes: 64 * 1_048_576, maxBytes: 40 * 1_048_576, group: `${name}-other` };
      const all = read(name, options);
      await until(() => expect(all.payloads.map(({ length }) => length)).toEqual([1, bomb.value.length, 7, 1]));
      for (const { subscription } of [dead, all]) subscription.unsubscribe();
    });

    it('gives up alone what a topic does not take, and loses no connection over what is behind it (SNK-08)', async () => {
      const name = await topic(1, { 'cleanup.policy': 'compact' });
      const lost: string[] = [];
      const stop = observe((event) => void (event.type === 'connect.failed' && lost.push(String(event.reason))));
      const sink = kafkaSink(linkOf(), { topic: name });
      const { message, log } = recorder();
      for (const key of ['a', undefined, 'b', undefined, 'c'])
        sink.next(message(utf8.encode('x'), key === undefined ? {} : { key }));
      await until(() => expect(log).toHaveLength(5));
      stop();
      const told = log.map((line) => line.split(' ').slice(1).join(' ')).toSorted();
      expect(told).toEqual(['ack', 'ack', 'ack', 'dead SINK_FAILED', 'dead SINK_FAILED']);
      // All together, then one by one.
      expect(lost.filter((reason) => reason.includes('sequence'))).toEqual([]);
      const reader = read(name, {});
      await until(() => expect(reader.messages.map(({ key }) => key)).toEqual(['a', 'b', 'c']));
      reader.subscription.unsubscribe();
      sink.complete();
    });

    it.for(['plain', 'scram-sha-256'] as const)(
      'logs in with %s over TLS, and says so when it is refused',
      async (mechanism, context) => {
        if (broker().secured === undefined)
          context.skip('no broker of this test, or no openssl to make certificates with');
        const { url, ca, username, password } = broker().secured as KafkaLogin;
        const secure = (options: object): KafkaLink => linkOf({ brokers: [url], tls: { ca }, ...options });
        const name = await topic(1);
        const sink = kafkaSink(secure({ sasl: { mechanism, username, password } }), { topic: name });
        const { message, log } = recorder();
        sink.next(message(utf8.encode('secret'), { topic: name }));
        sink.complete();
        await sink.closed;
        expect(log).toHaveLength(1);
        expect(log[0]).toMatch(/ack$/);
        const refused = collect(
          kafkaSource(secure({ sasl: { mechanism, username, password: 'guessed-wrong' } }), {
            topics: [name],
            group: 'g',
          }),
        );
        await until(() => expect(refused.errors).toHaveLength(1));
        expect(refused.errors[0]).toMatchObject({ code: 'AUTH_FAILED', retriable: false });
        expect(inspect(refused.errors[0], { depth: 10 })).not.toContain('guessed-wrong');
        const untrusted = collect(
          kafkaSource(secure({ tls: true, sasl: { mechanism, username, password } }), { topics: [name], group: 'g' }),
        );
        await until(() => expect(untrusted.errors).toMatchObject([{ code: 'AUTH_FAILED' }]));
      },
    );

    it.for(['plain', 'scram-sha-256'] as const)(
      'asks for the password of %s with each login, and ends with the one that is refused (REC-11, SEC-02)',
      async (mechanism, context) => {
        if (broker().secured === undefined)
          context.skip('no broker of this test, or no openssl to make certificates with');
        const { url, ca, username, password } = broker().secured as KafkaLogin;
        const name = await topic(1);
        let asked = 0;
        let next: () => string = () => password;
        const link = linkOf({
          brokers: [url],
          tls: { ca },
          sasl: { mechanism, username, password: async () => ((asked += 1), next()) },
        });
        const reader = collect(kafkaSource(link, { topics: [name], group: `${name}-asked`, ...timing, reconnect }));
        const sink = kafkaSink(link, { topic: name });
        const { message, log } = recorder();
        sink.next(message(utf8.encode('secret'), { topic: name }));
        await until(() => expect([log.length, reader.messages.length]).toEqual([1, 1]));
        sink.complete();
        await sink.closed;
        expect(asked).toBeGreaterThanOrEqual(3);
        // Nothing can be asked just now, which passes.
        next = () => {
          next = () => password;
          throw new Error('The vault is sealed.');
        };
        const later = collect(kafkaSource(link, { topics: [name], group: `${name}-later`, ...timing, reconnect }));
        await until(() => expect(later.messages).toHaveLength(1));
        next = () => 'guessed-wrong';
        const refused = collect(kafkaSource(link, { topics: [name], group: `${name}-wrong`, ...timing, reconnect }));
        await until(() => expect(refused.errors).toMatchObject([{ code: 'AUTH_FAILED', retriable: false }]));
        expect(inspect(refused.errors, { depth: 10 })).not.toContain('guessed-wrong');
        for (const { subscription } of [reader, later]) subscription.unsubscribe();
      },
    );

    it('shows the certificate that is there when a client begins, leaves those that are open, and ends with one that is not trusted (S14, REC-12)', async (context) => {
      if (broker().secured === undefined)
        context.skip('no broker of this test, or no openssl to make certificates with');
      const { url, ca, username, password, clients } = broker().secured as KafkaLogin;
      const name = await topic(1);
      let current = clients[0];
      let asked = 0;
      const link = linkOf({
        brokers: [url],
        async tls() {
          asked += 1;
          return { ca, cert: current.cert, key: current.key };
        },
        sasl: { mechanism: 'plain', username, password },
      });
      const reading = (group: string): Collected<Uint8Array> =>
        collect(kafkaSource(link, { topics: [name], group: `${name}-${group}`, ...timing, reconnect }), (message) => {
          message.ack();
        });
      const first = reading('first');
      await write(name, [{ partition: 0, value: 'a' }]);
      await until(() => expect(first.payloads.map(text)).toEqual(['a']));
      current = clients[1];
      const before = asked;
      const second = reading('second');
      await until(() => expect(second.payloads.map(text)).toEqual(['a']));
      expect(asked).toBeGreaterThan(before);
      current = makeCertificate('unknown.example') as Certificate;
      const third = reading('third');
      await until(() => expect(third.errors).toMatchObject([{ code: 'AUTH_FAILED', retriable: false }]));
      await write(name, [{ partition: 0, value: 'b' }]);
      for (const one of [first, second]) {
        await until(() => expect(one.payloads.map(text)).toEqual(['a', 'b']));
        one.subscription.unsubscribe();
      }
    });

    it('finds a peer that is gone without a word within 15 s at default options, idle and busy (G8)', async (context) => {
      const behind = broker().behindProxy;
      if (behind === undefined) context.skip(`${broker().how}: it has no listener for a proxy`);
      const { port, advertisedPort } = behind as NonNullable<typeof behind>;
      const name = await topic(1);
      const proxy = await faultProxy({ port, listenPort: advertisedPort });
      const link = kafkaLink({ driver, brokers: [`127.0.0.1:${proxy.port}`] });
      const idle = collect(kafkaSource(link, { topics: [name], group: `${name}-idle` }));
      const sink = kafkaSink(kafkaLink({ driver, brokers: [`127.0.0.1:${proxy.port}`] }), { topic: name });
      const { message, log } = recorder();
      sink.next(message(utf8.encode('before'), { topic: name }));
      await until(() => expect(idle.messages).toHaveLength(1));
      const events: SluiceEvent[] = [];
      const stop = observe((event) => void events.push(event));
      proxy.blackhole();
      const fromMs = systemClock.elapsed();
      sink.next(message(utf8.encode('after'), { topic: name }));
      const lost = (): number =>
        events.filter(
          (event) =>
            event.type === 'status.changed' &&
            event.to === 'reconnecting' &&
            (isSluiceError(event.reason, 'PEER_LOST') || isSluiceError(event.reason, 'CONFIRM_TIMEOUT')),
        ).length;
      // The links of both, the source, and the sink.
      await until(() => expect(lost()).toBeGreaterThanOrEqual(3));
      expect(systemClock.elapsed() - fromMs).toBeLessThan(15_000);
      stop();
      proxy.heal();
      await until(() => expect(log).toHaveLength(2));
      idle.subscription.unsubscribe();
      sink.complete();
      await sink.closed;
      await proxy.close();
    });
  });
}
