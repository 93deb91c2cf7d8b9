import { describe, expect, it } from 'vitest';
import { backoff, type Message } from 'sluice';
import { virtualClock } from 'sluice/testing';
import { defineSource, type ReaderContext } from '../../src/connection/define-source.js';
import { handBack } from '../../src/message/envelope.js';
import { supplyOf } from '../helpers/supply-of.js';

describe('a supply', () => {
  it('is asked no further once its flow has ended', () => {
    const clock = virtualClock();
    const payloads = ['a', 'b', 'c'];
    const flow = defineSource<string>(
      {
        connector: 'supplied',
        credit: 8,
        local: true,
        open: (context) => ({
          resume: () => context.offerEach(supplyOf(payloads), { topic: 't' }),
          settle: () => undefined,
          close: () => undefined,
        }),
      },
      { clock },
    );
    const subscription = flow.subscribe((message) => {
      message.ack();
      if (message.payload === 'b') subscription.unsubscribe();
    });
    clock.advance(0);
    expect(payloads).toEqual(['c']);
  });

  it('is asked no further where the second delivery is the last for now, whatever forbids the next', () => {
    type Forbids = (message: Message<string>, context: ReaderContext<string>) => void;
    const ways: Readonly<Record<string, Forbids>> = {
      'its connection is lost': (message, { lost }) => {
        message.ack();
        lost(new Error('gone'));
      },
      'as many wait without credit as may': (message) => handBack(message, 1_000),
      'the reader says that this was all': (message, { end }) => {
        message.ack();
        end();
      },
    };
    for (const [way, forbid] of Object.entries(ways)) {
      const clock = virtualClock();
      const payloads = ['a', 'b', 'c', 'd'];
      let reader: ReaderContext<string> | undefined;
      const flow = defineSource<string>(
        {
          connector: 'supplied',
          credit: 8,
          open: (context) => ({
            resume() {
              reader = context;
              context.offerEach(supplyOf(payloads), { topic: 't' });
            },
            settle: () => undefined,
            close: () => undefined,
          }),
        },
        { clock, maxParked: 1, reconnect: backoff({ initialMs: 10_000, minMs: 10_000 }) },
      );
      const subscription = flow.subscribe((message) => {
        if (message.payload === 'a') message.ack();
        else forbid(message, reader as ReaderContext<string>);
      });
      clock.advance(0);
      expect(payloads, way).toEqual(['c', 'd']);
      subscription.unsubscribe();
    }
  });

  it('is asked no further in a turn that has lasted long enough', async () => {
    let taken = 0;
    const flow = defineSource<string>({
      connector: 'endless',
      credit: 8,
      local: true,
      open: (context) => ({
        resume: () => context.offerEach({ isEmpty: false, take: () => String((taken += 1)) }, { topic: 't' }),
        settle: () => undefined,
        close: () => undefined,
      }),
    });
    // Without turns in between this would never come to its end.
    const subscription = flow.subscribe((message) => {
      if (taken > 5_000_000) throw new Error('no turn in between');
      message.ack();
    });
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    subscription.unsubscribe();
    expect(taken).toBeLessThan(5_000_000);
    expect(taken).toBeGreaterThan(0);
  });
});
