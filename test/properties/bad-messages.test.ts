import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NO_HEADERS, type Message, type MessageHeaders } from 'sluice';
import { deadLetterHeaders, type Delivery, type ReaderContext } from 'sluice/connection';
import { virtualClock } from 'sluice/testing';
import { isTime } from '../../src/connection/is-time.js';
import { propertiesOf as amqpPropertiesOf } from '../../src/links/amqp-message.js';
import type { AmqpConnection } from '../../src/links/amqp.js';
import type { KafkaRecord } from '../../src/links/kafka-driver.js';
import { keyBytes, outgoing } from '../../src/links/kafka-message.js';
import { recordBatch } from '../../src/links/kafka-record-batch.js';
import { recordsOf } from '../../src/links/kafka-record-reader.js';
import { lz4Size } from '../../src/links/lz4-size.js';
import { factsOf, propertiesOf as mqttPropertiesOf } from '../../src/links/mqtt-message.js';
import { topicFault, filterFault } from '../../src/links/mqtt-topic.js';
import { AmqpAttempts } from '../../src/sources/amqp-attempts.js';
import { AmqpReader } from '../../src/sources/amqp-reader.js';
import { dueMsOf, KafkaDelivery, taken } from '../../src/sources/kafka-delivery.js';
import type { KafkaPartition } from '../../src/sources/kafka-partition.js';
import { delivered, fakeChannel } from '../helpers/amqp.js';
import { answered, anyValue, INPUTS, mutated, mutatedText } from '../helpers/fuzz.js';
import { recorder } from '../helpers/message.js';

const NAMES = [
  ...['content-type', 'x-message-id', 'x-message-key', 'x-message-time', 'x-delivery-count', 'x-death', 'x-dead-time'],
  ...['x-dead-topic', 'x-retry-topic', 'x-retry-attempt', 'x-retry-due', 'x-retry-time', 'response-topic', 'CC', 'BCC'],
  ...['correlation-data', '__proto__', 'constructor', 'toString', 'Ünïcode', ''],
];
const VALUES = ['text/csv', '7', '-1', '1e300', 'NaN', 'answers/1', 'a\r\nb', 'Köln 😀', ''];
const name = fc.oneof(fc.constantFrom(...NAMES), mutatedText(...NAMES));
const bytes = mutated(...VALUES).map((value) => Buffer.from(value));
const text = fc.oneof(fc.constantFrom(...VALUES), mutatedText(...VALUES));

/** Under any names, also those of the prototype, each once. */
const headersWith = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<Record<string, T>> =>
  fc.array(fc.tuple(name, value), { maxLength: 8 }).map((entries) => Object.fromEntries(entries));

/** What any source may make of a message. */
function checkSound({
  headers = NO_HEADERS,
  key,
  id,
  timeMs,
  attempt,
  bytes: weight,
}: Partial<Delivery<unknown>>): void {
  for (const value of Object.values(headers))
    for (const one of Array.isArray(value) ? (value as unknown[]) : [value])
      expect(typeof one === 'string' || one instanceof Uint8Array).toBe(true);
  expect(Object.getPrototypeOf(headers)).toBeNull();
  expect([typeof key, typeof id].every((type) => type === 'string' || type === 'undefined')).toBe(true);
  expect(id).not.toBe('');
  expect(timeMs === undefined || isTime(timeMs)).toBe(true);
  expect(attempt === undefined || (Number.isSafeInteger(attempt) && attempt > 0)).toBe(true);
  expect(weight === undefined || Number.isSafeInteger(weight)).toBe(true);
}

/** The message that a delivery is in the flow. */
function messageOf({ payload, headers, key, id, timeMs }: Delivery<Uint8Array>): Message<Uint8Array> {
  return recorder().message(payload, {
    headers: headers as MessageHeaders,
    key,
    ...(id === undefined ? {} : { id }),
    ...(timeMs === undefined ? {} : { timeMs }),
  });
}

/** Goes out over every broker, or is refused. Over Kafka dead letters go out by the source itself, so that they always have to. */
function sendOn(delivery: Delivery<Uint8Array>, reason: unknown = new Error('no')): void {
  const message = messageOf(delivery);
  answered(() => mqttPropertiesOf(message, undefined), ['ENCODE_FAILED', 'TOPIC_INVALID']);
  answered(() => outgoing(message, keyBytes(message.key), 'x-message-id'), ['ENCODE_FAILED']);
  try {
    amqpPropertiesOf(message, true, true);
  } catch (error) {
    // The sink makes a SluiceError of it.
    expect(String(error)).toMatch(/route by|surrogate/);
  }
  const headers = deadLetterHeaders(message, reason, 'line 7');
  outgoing({ id: message.id, payload: message.payload, timeMs: 0, headers }, null, 'x-message-id');
}

describe('a message of AMQP that is anything (G17, B24)', () => {
  // As the client reads what a table may hold.
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      text,
      bytes,
      fc.double(),
      fc.bigInt(),
      fc.boolean(),
      fc.constant(null),
      fc.record({ '!': fc.constantFrom('timestamp', 'decimal'), value: fc.anything() }),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(name, tie('value'), { maxKeys: 4 }),
    ),
  }));
  const properties = fc.record(
    {
      headers: headersWith(value),
      contentType: text,
      messageId: text,
      timestamp: fc.oneof(fc.double(), fc.maxSafeNat()),
      replyTo: text,
      correlationId: text,
    },
    { requiredKeys: [] },
  );

  it('is offered as a sound one, and so are those around it', async () => {
    await fc.assert(
      fc.asyncProperty(properties, fc.boolean(), async (given, redelivered) => {
        const offered: Delivery<Uint8Array>[] = [];
        const clock = virtualClock();
        const context = { clock, offer: (one: Delivery<Uint8Array>) => offered.push(one) > 0, lost: () => undefined };
        const connection = { refused: (error: unknown) => error } as unknown as AmqpConnection;
        const { channel, deliver, told } = fakeChannel();
        const reader = new AmqpReader(
          channel,
          connection,
          context as unknown as ReaderContext<Uint8Array>,
          { queue: 'orders', requeueDelayMs: 0 },
          new AmqpAttempts(),
          9,
        );
        await reader.start();
        answered(() => {
          for (const [at, one] of [{}, given, {}].entries()) deliver(delivered(at + 1, one, { redelivered }));
        });
        expect(offered).toHaveLength(3);
        for (const one of offered) {
          checkSound(one);
          sendOn(one);
          reader.settle(one.position, 'requeue');
        }
        clock.advance(0);
        expect(told.filter((line) => line.endsWith('requeue'))).toHaveLength(3);
      }),
      INPUTS,
    );
  });
});

describe('a record of Kafka that is anything (G17, B22)', () => {
  const record: fc.Arbitrary<KafkaRecord> = fc.record({
    offset: fc.maxSafeNat(),
    timeMs: fc.oneof(fc.maxSafeInteger(), fc.constantFrom(-1, 9.2e18, -9.2e18)),
    key: fc.option(bytes),
    value: fc.option(bytes),
    headers: fc.option(headersWith(fc.oneof(bytes, fc.array(bytes, { maxLength: 3 }))), { nil: undefined }),
    bytes: fc.nat(),
  });

  it('is offered as a sound one, and can be sent on, also as a dead letter', () => {
    fc.assert(
      fc.property(record, fc.boolean(), fc.boolean(), anyValue, (given, isRetry, tombstones, reason) => {
        const log = { topic: 'orders', partition: 1, isRetry } as unknown as KafkaPartition;
        const reading = { idHeader: 'x-message-id', ownHeaders: ['x-message-id', 'x-retry-due'], tombstones };
        const offered = answered(() => new KafkaDelivery(log, 1, taken(given, 12), reading));
        expect(offered).toBeDefined();
        const { payload, headers, key, id, timeMs, attempt, topic } = offered!;
        checkSound({ headers, key, id, timeMs, attempt });
        expect([typeof topic, Number.isFinite(dueMsOf(given))]).toEqual(['string', true]);
        expect(payload === null).toBe(tombstones && given.value === null);
        sendOn({ payload: payload ?? new Uint8Array(), headers, key, id, timeMs } as Delivery<Uint8Array>, reason);
      }),
      INPUTS,
    );
  });

  const batch = (count: number, compression: 'none' | 'gzip', isTransactional = false): Buffer =>
    recordBatch(
      Array.from({ length: count }, (_, at) => ({
        key: at % 2 === 0 ? null : Buffer.from('k'),
        value: at % 3 === 0 ? null : Buffer.from('value'.repeat(at)),
        headers: at % 2 === 0 ? {} : { a: Buffer.from('1'), b: [Buffer.from('2'), Buffer.from('3')] },
        timeMs: 1_000 + at,
      })),
      { producer: { id: 5n, epoch: 1, sequence: 0 }, isTransactional, compression, checksum: () => 0 },
    );
  const answers = [batch(1, 'none'), batch(4, 'none'), Buffer.concat([batch(2, 'none', true), batch(3, 'none')])];
  // What is packed is no better where it is unpacked, so the bytes stand for themselves.
  const decompress = (_: number, packed: Buffer): Buffer => packed;

  it('is read from an answer, is refused alone, or ends the answer, and never more than is there', () => {
    fc.assert(
      fc.property(mutated(...answers), fc.nat(5), (given, from) => {
        const aborted = [{ producerId: 5n, firstOffset: 0n }];
        try {
          const read = answered(() =>
            recordsOf(Buffer.from(given), aborted, from, { decompress, maxBytes: 1_000, leftBytes: 4_000 }),
          );
          for (const { offset, timeMs, value } of read?.records ?? []) {
            expect([Number.isNaN(offset), Number.isNaN(timeMs)]).toEqual([false, false]);
            expect(value?.length ?? 0).toBeLessThanOrEqual(given.length);
          }
          expect(read?.records.length ?? 0).toBeLessThanOrEqual(given.length);
        } catch (error) {
          // The driver makes a SluiceError of it.
          expect(String((error as Error).cause)).toMatch(/cut off|as long as it says|too long|range|bounds/);
        }
      }),
      INPUTS,
    );
  });

  it('is measured before it is unpacked, whatever it is', () => {
    const frame = Buffer.from('04224d186040820700000030414243440000000000000000', 'hex');
    fc.assert(
      fc.property(mutated(frame), (given) => {
        expect(answered(() => lz4Size(given, 10_000))).toBeGreaterThanOrEqual(0);
      }),
      INPUTS,
    );
  });
});

describe('a message of MQTT that is anything (G17, B23)', () => {
  const properties = fc.record(
    {
      userProperties: headersWith(fc.oneof(text, fc.array(text, { maxLength: 3 }))),
      contentType: text,
      responseTopic: text,
      correlationData: bytes,
      topicAlias: fc.nat(70_000),
    },
    { requiredKeys: [] },
  );

  it('is offered as a sound one, and can be sent on or is refused', () => {
    fc.assert(
      fc.property(properties, (given) => {
        const packet = { topic: 't', payload: new Uint8Array(), qos: 1, retain: false, dup: false } as const;
        const facts = answered(() => factsOf({ ...packet, properties: given }));
        expect(facts).toBeDefined();
        checkSound(facts!);
        sendOn({ payload: packet.payload, ...facts } as Delivery<Uint8Array>);
      }),
      INPUTS,
    );
  });

  it('has a topic that is one, or a fault that is named', () => {
    const topics = ['orders/eu/new', '$share/group/orders/+', '#', 'a//b', '😀'];
    fc.assert(
      fc.property(mutatedText(...topics), (given) => {
        const [topic, filter] = answered(() => [topicFault(given), filterFault(given)] as const)!;
        expect(topic !== undefined || !/[+#\0]/.test(given)).toBe(true);
        // What may be published to may be asked for.
        if (topic === undefined) expect(filter).toBeUndefined();
      }),
      INPUTS,
    );
  });
});
