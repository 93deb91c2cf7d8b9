import { describe, expect, it } from 'vitest';
import { memoryBroker, route, type SluiceError } from 'sluice';
import { amqpLink } from 'sluice/amqp';
import { fileSink } from 'sluice/file';
import { kafkaLink, kafkaSink, kafkaSource } from 'sluice/kafka';
import { mqttLink, mqttSink, mqttSource } from 'sluice/mqtt';
import { webSocketLink } from 'sluice/websocket';
import { webSocketServer } from 'sluice/websocket-server';
import { checkAll } from '../../src/connection/check-all.js';
import { checkOptions, integer, text } from '../../src/options.js';

async function refusal(work: () => unknown): Promise<{ message: string; faults: readonly string[] }> {
  try {
    await work();
  } catch (error) {
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    const { message, details } = error as SluiceError;
    return { message, faults: details['faults'] as string[] };
  }
  return expect.unreachable('it was let pass');
}

const PEM = '-----BEGIN CERTIFICATE-----';
const kafka = kafkaLink({ brokers: ['localhost:9092'] });
const mqtt = mqttLink({ url: 'mqtt://localhost', protocolVersion: '3.1.1' });
const sink = { next: () => undefined, error: () => undefined, complete: () => undefined };

describe('checkAll', () => {
  const inner = (options: object) => (): void =>
    checkOptions<Record<string, unknown>>('link tls', options as never, { ca: text, key: text });
  const outer = (options: object) => (): void =>
    checkOptions<Record<string, unknown>>('link', options as never, { port: integer(1), tls: text });

  it('lets pass what all checks let pass, and throws as it is what one of them finds', async () => {
    checkAll('link', [outer({ port: 1 }), inner({ ca: 'a' })]);
    const { message, faults } = await refusal(() => checkAll('link', [outer({ port: 1 }), inner({ ca: 1, key: 2 })]));
    expect(message).toMatch(/^link tls: 'ca': expected a text/);
    expect(faults).toHaveLength(2);
  });

  it('throws as one what several find, each named by where it stands (B32)', async () => {
    const { message, faults } = await refusal(() => checkAll('link', [outer({ port: 0, hots: 1 }), inner({ ca: 1 })]));
    expect(faults).toEqual([
      "unknown option 'hots'",
      "'port': expected a whole number from 1, got 0",
      "tls: 'ca': expected a text that is not empty, got 1",
    ]);
    expect(message).toBe(`link: ${faults.join('; ')}.`);
  });

  it('leaves out what follows from what was told', async () => {
    const stumbling = (): void => (undefined as unknown as () => void)();
    const { faults } = await refusal(() => checkAll('link', [outer({ tls: 5 }), inner({ ca: 1 }), stumbling]));
    expect(faults).toEqual(["'tls': expected a text that is not empty, got number"]);
    expect(() => checkAll('link', [outer({ port: 1 }), stumbling])).toThrow(TypeError);
  });

  it.each<[string, () => unknown, readonly RegExp[]]>([
    [
      'amqpLink',
      () =>
        amqpLink({
          url: 'http://far',
          prefetch: '100',
          heartbeatMs: -1,
          tls: { ca: './ca.pem' },
          topology: { queues: [{ name: 'q', type: 'fast' }, {}], exchanges: [{ nam: 'x' }] },
        } as never),
      [
        /^unknown option 'prefetch': belongs to amqpSource$/,
        /^'heartbeatMs': .* got -1$/,
        /^tls: 'ca': expected PEM/,
        /^topology: exchanges\[0\]: unknown option 'nam', did you mean 'name'\?$/,
        /^topology: exchanges\[0\]: 'name' is missing/,
        /^topology: queues\[0\]: 'type': expected one of quorum, classic, got 'fast'$/,
        /^topology: queues\[1\]: 'name' is missing/,
        /^'url': expected amqp:/,
      ],
    ],
    [
      'mqttLink',
      () =>
        mqttLink({
          url: 'mqtt://far/path',
          heartbeatMs: 1,
          tls: { key: 'a.key' },
          will: { topic: 't' },
          protocolVersion: '3.1.1',
          topicAliases: 2,
        } as never),
      [
        /^'heartbeatMs': .* got 1$/,
        /^'url': expected no path/,
        /^tls: 'key': expected PEM/,
        /^will: 'payload' is missing/,
        /^'topicAliases' needs protocolVersion '5'$/,
      ],
    ],
    [
      'kafkaLink',
      () =>
        kafkaLink({
          brokers: ['far:9092'],
          requestTimeoutMs: 1,
          tls: { cert: 'own.pem' },
          sasl: { mechanism: 'plain', username: 'u' },
        } as never),
      [/^'requestTimeoutMs': .* got 1$/, /^tls: 'cert': expected PEM/, /^sasl: 'password' is missing/],
    ],
    [
      'webSocketLink',
      () => webSocketLink({ url: 'http://far', heartbeatMs: 1, tls: { servername: '' }, headers: {} } as never),
      [
        /^'heartbeatMs': .* got 1$/,
        /^tls: 'servername': expected a text/,
        /^'url': expected a URL that begins with ws:/,
        /^'headers' and 'tls' need client: 'ws'/,
      ],
    ],
    [
      'webSocketServer',
      () =>
        webSocketServer({
          host: '0.0.0.0',
          port: 0,
          path: 'x',
          tls: { cert: 'own.pem', key: PEM },
          source: { credit: -1 },
          sink: { maxBytes: -1 },
        } as never),
      [
        /^'path': expected a path that begins with \/, got 'x'$/,
        /^tls: 'cert': expected PEM/,
        /^source: 'credit': /,
        /^sink: /,
        /^'authenticate' is missing/,
      ],
    ],
    [
      'kafkaSource',
      () => kafkaSource(kafka, { topics: [], group: 'g', sessionTimeoutMs: 3_000, revokeTimeoutMs: 2_000, maxGap: 0 }),
      [/^'topics': /, /^'maxGap': .* got 0$/, /^'revokeTimeoutMs': expected at most half/],
    ],
    [
      'kafkaSink',
      () => kafkaSink(kafka, { topic: 't', lingerMs: -1, acks: 'leader', idempotent: true }),
      [/^'lingerMs': .* got -1$/, /^'idempotent': needs acks 'all'$/],
    ],
    [
      'mqttSource',
      () => mqttSource(mqtt, { topics: 'a/#/b', cleanStart: true, will: { topic: 't', payload: '', delayMs: 5 } }),
      [
        /^'topics': /,
        /^will: 'delayMs' and 'contentType' need/,
        /^'cleanStart' needs protocolVersion/,
        /^'cleanStart' needs a/,
        /^'will.delayMs' needs/,
      ],
    ],
    [
      'mqttSink',
      () => mqttSink(mqtt, { topic: 'a/+', messageExpiryMs: 5 }),
      [/^'topic': /, /^'messageExpiryMs' needs protocolVersion '5'$/],
    ],
    [
      'fileSink',
      () => fileSink({ path: '', fsync: { everyMs: -1 }, rotate: { keep: -1 } }),
      [/^'path': expected a text/, /^fsync: 'everyMs': .* got -1$/, /^rotate: 'keep': .* got -1$/],
    ],
    [
      'memoryBroker',
      () => memoryBroker({ maxTopics: 0, topics: { a: { partitions: 0 }, b: { deadLetterTopic: 'b' } } }),
      [
        /^'maxTopics': .* got 0$/,
        /^topic 'a': 'partitions': .* got 0$/,
        /^topic 'b': 'deadLetterTopic' is the topic itself/,
      ],
    ],
    [
      'route',
      () =>
        route([
          { name: '', when: () => true, to: sink },
          { name: 'b', when: 5, to: sink },
        ] as never),
      [/^rule 0: 'name': expected a text/, /^rule 1 'b': 'when' must be a matcher/],
    ],
  ])('is how %s tells everything that is wrong at once (B32)', async (owner, work, expected) => {
    const { message, faults } = await refusal(work);
    expect(message.startsWith(`${owner}: `)).toBe(true);
    for (const [at, pattern] of expected.entries()) expect(faults[at]).toMatch(pattern);
    expect(faults).toHaveLength(expected.length);
    expect(message).not.toMatch(/a\.key|own\.pem/);
  });

  it.each([amqpLink, mqttLink, kafkaLink, webSocketLink])(
    'is of no trouble where there are no options at all',
    async (link) => {
      for (const options of [undefined, null, 'amqp://far'])
        expect((await refusal(() => link(options as never))).faults).toEqual([
          expect.stringMatching(/^expected an object with options, got /),
        ]);
    },
  );
});
