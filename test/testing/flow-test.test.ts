import { delay, filter, map, Observable, of, take, throwError, timer } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { each, payload, route, where, type Flow, type Message, type Stage } from 'sluice';
import { flowTest as plainFlowTest, type FlowTest } from 'sluice/testing';
import { mark } from '../../src/message/envelope.js';
import { flowTest } from '../helpers/lanes.js';

/** Messages of the topic `slow` take four frames, others none. */
function slowBranch<T>(): Stage<T, T> {
  return (source: Flow<T>) =>
    new Observable((output) =>
      source.subscribe({
        next(message) {
          if (message.topic === 'slow') timer(4).subscribe(() => output.next(message));
          else output.next(message);
        },
        error: (error: unknown) => output.error(error),
        complete: () => output.complete(),
      }),
    );
}

/** Forgets the messages it does not like, as a stage written without care would. */
function forgetful(name: string, likes: (value: string) => boolean): Stage<string, string> {
  return (source) =>
    new Observable((output) =>
      source.subscribe((message) => {
        mark(message, name);
        if (likes(message.payload)) output.next(message);
      }),
    );
}

const failing = timer(2).pipe(
  map((): never => {
    throw new Error('no');
  }),
);

describe('flowTest', () => {
  it(
    'draws a slow branch that holds the window while a fast one flows',
    flowTest(({ offer, expectLanes }) => {
      const source = offer('abcdef|', { credit: 2, topic: (value) => ('ace'.includes(value) ? 'slow' : 'fast') });
      expectLanes(source.pipe(slowBranch())).toBe(`
        a       d---a
        b        i
        c         d---a
        d          oi
        e           d---a
        f            oi
        credit  110000112`);
    }),
  );

  it('makes the bug of a plain filter visible, and fails with it', () => {
    const run = plainFlowTest(({ offer, expectLanes }) => {
      const source = offer('abcde|', { credit: 2 });
      expectLanes(
        source.pipe(
          filter((message) => !'bd'.includes(message.payload)),
          delay(2),
        ),
      );
    });
    expect(run).toThrow(
      [
        'leak: b last seen by `offer`, d last seen by `offer`; never delivered: e',
        '',
        'a       d-a',
        'b        d     <- never settled',
        'c         d-a',
        'd          od  <- never settled',
        'e           o  <- never delivered',
        'credit  10000',
        '',
        'No promise resolves in the time of flowTest: test what waits for one with virtualClock.',
      ].join('\n'),
    );
  });

  it('says what to do where a flow ends before all was offered to it', () => {
    const run = plainFlowTest(({ offer, expectLanes }) => {
      expectLanes(offer('abc|', { credit: 2 }).pipe(take(1)));
    });
    expect(run).toThrow(
      [
        'never delivered: b, c',
        '',
        'a       i',
        'b        o   <- never delivered',
        'c         o  <- never delivered',
        'credit  222',
        '',
        'Offer no more than the flow takes: one that ends early, as behind take, leaves the rest.',
      ].join('\n'),
    );
  });

  it(
    'draws what where drops as settled in the frame of its delivery',
    flowTest(({ offer, expectLanes }) => {
      const source = offer('abcde|', { credit: 2 });
      expectLanes(
        source.pipe(
          where((value) => !'bd'.includes(value)),
          delay(2),
        ),
      ).toBe(`
        a       d-a
        b        S
        c         d-a
        d          S
        e           d-a
        credit  1111112`);
    }),
  );

  it(
    'draws work that takes its time and a failure that is dead',
    flowTest(({ offer, expectLanes }) => {
      const work = (value: string): Observable<string> => (value === 'b' ? failing : of(value).pipe(delay(2)));
      const source = offer('abcd|', { credit: 2 });
      expectLanes(source.pipe(each(work, { concurrency: 1, onError: 'dead' }))).toBe(`
        a       d-a
        b        d--x
        c         d---a
        d          od---a
        credit  100000112`);
    }),
  );

  it(
    'draws a requeue that is delivered again in its frame, and an ack with a note',
    flowTest(({ offer, expectLanes }) => {
      const seen = new Set<string>();
      const sink = (message: Message<string>): void => {
        timer(1).subscribe(() => {
          if (seen.has(message.payload)) message.ack(message.payload === 'c' ? 'stale' : undefined);
          else message.nack(new Error('once'));
          seen.add(message.payload);
        });
      };
      expectLanes(offer('abc|', { credit: 1 }), { next: sink }).toBe(`
        a       dra
        b        odra
        c         o-drs
        credit  0000001`);
    }),
  );

  it(
    'draws a group of rows per source, values behind letters, and credit that changes',
    flowTest(({ offer, expectLanes, scheduler }) => {
      const credit = scheduler.createHotObservable('0--2', { 0: 0, 2: 2 });
      const first = offer('ab|', { credit });
      const second = offer<number>('--ab', { credit: 12, values: { a: 1, b: 2 }, topic: (value) => `n/${value}` });
      const topics: string[] = [];
      expectLanes(first);
      expectLanes(second.pipe(delay(1)), {
        next(message) {
          topics.push(message.topic);
          message.nack(new Error('no'), message.payload === 1 ? 'drop' : 'dead');
        },
        complete: () => expect(topics).toEqual(['n/1', 'n/2']),
      }).toBe(`
        a         o--i
        b          o-i
        credit 1  0002
        a           dx
        b            dx
        credit 2  ccbbc`);
    }),
  );

  it(
    'draws what a lost connection takes back',
    flowTest(({ offer, expectLanes }) => {
      const cut = offer('a-#', { credit: 1, reconnect: { tries: 9, stableMs: 1, delayMs: () => 3 } });
      expectLanes(cut, { next: (message) => (message.attempt > 1 ? message.ack() : undefined) }).toBe(`
        a       d-n--i
        credit  001111`);
    }),
  );

  it('names the stage that held what leaked', () => {
    const leaks = plainFlowTest(({ offer, expectLanes }) => {
      expectLanes(
        offer('abc|', { credit: 4 }).pipe(
          payload((value) => value),
          forgetful('decode', (value) => value !== 'b'),
        ),
      );
    });
    expect(leaks).toThrow(/^leak: b last seen by `decode`$/m);
  });

  it('ends with an error where something goes on without end, as a branch that can never be started', () => {
    const down: Stage<string, string> = () => throwError(() => new Error('down'));
    const endless = plainFlowTest(({ offer, expectLanes }) => {
      expectLanes(offer('a|').pipe(route([{ name: 'down', when: () => true, to: down }])));
    });
    expect(endless).toThrow('After a day of virtual time something still goes on');
  });

  it('fails without any expectation when a message is left open after the flow ended', () => {
    const taken = plainFlowTest(({ offer, expectLanes }) => {
      expectLanes(offer('ab|', { credit: 4 }).pipe(take(1)), { next: () => undefined });
    });
    expect(taken).toThrow(/leak: a last seen by `offer`/);
  });

  it('fails with an asynchronous test, whose expectations would never be looked at', () => {
    const test = async ({ offer, expectLanes }: FlowTest): Promise<void> => {
      await Promise.resolve();
      expectLanes(offer('a|')).toBe('anything');
    };
    expect(() => plainFlowTest((context) => test(context) as unknown as void)()).toThrow('gave a promise');
  });

  it('shows both diagrams when they differ', () => {
    const other = plainFlowTest(({ offer, expectLanes }) => {
      expectLanes(offer('a|', { credit: 1 })).toBe(`
        a       d
        credit  0`);
    });
    expect(other).toThrow(/expected\na {7}d\ncredit {2}0\n\nactual\na {7}i\ncredit {2}1/);
  });

  it('fails with the error of the flow', () => {
    const broken = plainFlowTest(({ offer, expectLanes }) => {
      expectLanes(offer('a|').pipe(() => throwError(() => new Error('broken'))));
    });
    expect(broken).toThrow('broken');
  });
});
