import { describe, expect, it } from 'vitest';
import { kafkaSink } from 'sluice/kafka';
import { virtualClock } from 'sluice/testing';
import { fakeKafka } from '../helpers/kafka.js';
import { recorder } from '../helpers/message.js';

describe('kafkaSink', () => {
  it.each([
    [{ topic: 'a b' }, 'expected the name of a topic'],
    [{ topics: ['a'] }, `did you mean 'topic'?`],
    [{ acks: 1 }, 'expected one of all, leader'],
    [{ compression: 'zstd' }, 'expected one of none, gzip'],
    [{ maxBatch: 0 }, 'a whole number from 1 to 65535'],
    [{ acks: 'leader', idempotent: true }, `needs acks 'all'`],
    [{ transactionalId: 'x', idempotent: false }, 'an idempotent producer'],
    [{ idHeader: '' }, `'idHeader'`],
    [{ maxUnconfirmed: 0 }, `'maxUnconfirmed'`],
  ])('refuses %j', (options, text) => {
    expect(() => kafkaSink(fakeKafka(virtualClock()).link, options as never)).toThrow(text);
  });

  it.each([
    [{}, { idempotent: true, acks: -1, compression: 'none' }],
    [
      { acks: 'leader', compression: 'gzip' },
      { idempotent: false, acks: 1, compression: 'gzip' },
    ],
    [{ idempotent: false }, { idempotent: false, acks: -1 }],
  ] as const)('asks the producer for what was asked of it: %j', async (options, expected) => {
    const clock = virtualClock();
    const kafka = fakeKafka(clock);
    const sink = kafkaSink(kafka.link, { ...options, topic: 'a', clock });
    sink.next(recorder().message(new Uint8Array()));
    await clock.run(0);
    expect(kafka.producers[0]?.plan).toMatchObject(expected);
    sink.complete();
    await clock.run(0);
  });

  it('closes with CONFIG_INVALID when its one topic is not there, and hands back what it has', async () => {
    const clock = virtualClock();
    const kafka = fakeKafka(clock);
    const sink = kafkaSink(kafka.link, { topic: 'gone', clock });
    const { message, log } = recorder();
    sink.next(message(new Uint8Array()));
    await clock.run(0);
    await sink.closed;
    expect(sink.failure).toMatchObject({ code: 'CONFIG_INVALID', retriable: false });
    expect(log).toEqual(['requeue CONFIG_INVALID']);
  });
});
