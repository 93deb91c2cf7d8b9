import { describe, expect, it } from 'vitest';
import { observe } from 'sluice';
import { amqpSink } from 'sluice/amqp';
import { virtualClock } from 'sluice/testing';
import { fakeChannel, fakeLink } from '../helpers/amqp.js';
import { recorder } from '../helpers/message.js';

const bytes = new TextEncoder().encode('p');

describe('amqpSink', () => {
  it.each([
    [{}, `'exchange' is missing`],
    [{ exchange: 'x', mandatry: true }, `did you mean 'mandatory'?`],
    [{ exchange: 'x', routingKey: 5 }, `'routingKey'`],
    [{ exchange: 'x', maxBytes: 0 }, 'a whole number from 1'],
    [{ exchange: 'x', maxUnconfirmed: 0 }, `'maxUnconfirmed'`],
  ])('refuses %j', (options, text) => {
    expect(() => amqpSink(fakeLink([]), options as never)).toThrow(text);
  });

  it('declares, looks for its exchange, and acks what was confirmed (SNK-01)', async () => {
    const clock = virtualClock();
    const fake = fakeChannel();
    const link = fakeLink([fake], { clock, topology: { exchanges: [{ name: 'x' }] } });
    const sink = amqpSink(link, { exchange: 'x', clock });
    const { message, log, open } = recorder();
    sink.next(message(bytes, { topic: 'a' }));
    await clock.run(10);
    expect(fake.told).toEqual([expect.stringMatching(/^exchange x /), 'check x', `publish 'x' a p`]);
    expect(open).toHaveLength(1);
    fake.confirms[0]?.(null);
    expect(log).toEqual(['112 ack']);
    sink.complete();
    await clock.run(10);
    await sink.closed;
    expect(fake.told.slice(3)).toEqual(['wait', 'close']);
  });

  it('sends again with the same id what was not confirmed when the channel was lost (SNK-05)', async () => {
    const clock = virtualClock();
    const [first, second] = [fakeChannel(), fakeChannel()];
    const ids: unknown[] = [];
    for (const { channel } of [first, second]) {
      const publish = channel.publish.bind(channel);
      channel.publish = (exchange, key, content, properties, confirm) => {
        ids.push(properties?.messageId);
        return publish(exchange, key, content, properties, confirm);
      };
    }
    const sink = amqpSink(fakeLink([first, second], { clock }), { exchange: '', clock, confirmTimeoutMs: 0 });
    const { message, log } = recorder();
    sink.next(message(bytes, { topic: 'q' }));
    await clock.run(10);
    first.emit('close');
    await clock.run(60_000);
    expect(second.told).toEqual([`publish '' q p`]);
    expect(ids).toEqual(['id-1', 'id-1']);
    second.confirms[0]?.(null);
    expect(log).toEqual(['112 ack']);
    sink.complete();
    await clock.run(60_000);
  });

  it('nacks and closes when the broker refuses its exchange', async () => {
    const clock = virtualClock();
    const fake = fakeChannel({ checkExchange: Object.assign(new Error('no exchange x'), { code: 404 }) });
    const sink = amqpSink(fakeLink([fake], { clock }), { exchange: 'x', clock });
    const { message, settled } = recorder();
    sink.next(message(bytes));
    await clock.run(10);
    expect(settled).toMatchObject([{ code: 'CONFIG_INVALID' }]);
  });

  it('opens no channel while the broker is short of memory, and says why', async () => {
    const clock = virtualClock();
    const fake = fakeChannel();
    const link = fakeLink([fake], { clock });
    link.connection.blockedFor = 'low on memory';
    const said: string[] = [];
    const stop = observe((event) => {
      if (event.type === 'connect.failed') said.push((event.reason as Error).message);
    });
    const sink = amqpSink(link, { exchange: '', clock });
    const { message, log } = recorder();
    sink.next(message(bytes, { topic: 'q' }));
    await clock.run(10_000);
    expect([new Set(said), fake.told]).toEqual([new Set(['The broker takes nothing for now: low on memory.']), []]);
    link.connection.blockedFor = undefined;
    await clock.run(4_000);
    fake.confirms[0]?.(null);
    expect(log).toEqual(['112 ack']);
    stop();
    sink.complete();
    await clock.run(60_000);
  });

  it('ends, and leaves no channel, for a declaration that the client cannot write', async () => {
    const clock = virtualClock();
    const fake = fakeChannel();
    const wrong = new TypeError('Unknown type to encode: undefined');
    fake.channel.assertExchange = () => Promise.reject(wrong);
    const sink = amqpSink(fakeLink([fake], { clock, topology: { exchanges: [{ name: 'x' }] } }), {
      exchange: 'x',
      clock,
    });
    const { message, settled } = recorder();
    sink.next(message(bytes));
    await clock.run(10);
    expect([settled[0]?.code, fake.told]).toEqual(['CONFIG_INVALID', ['close']]);
  });
});
