import { describe, expect, it } from 'vitest';
import {
  deadLetter,
  deliver,
  each,
  fanout,
  fromAsyncIterable,
  payload,
  route,
  run,
  type Sink,
  type Stage,
} from 'sluice';
import { defineSink } from 'sluice/connection';
import { virtualClock } from 'sluice/testing';
import { endSink } from '../../src/connection/end-sink.js';
import { events, recordingSink } from '../helpers/branches.js';
import { collect } from '../helpers/collect.js';

type Ended = 'complete' | 'close';

/** A sink that is closed when it is told to, with what happened to it in order. */
function slowSink() {
  const log: Ended[] = [];
  let close = (): void => undefined;
  const closed = new Promise<void>((resolve) => {
    close = () => {
      log.push('close');
      resolve();
    };
  });
  const sink: Sink<unknown> = {
    ...recordingSink<unknown>(),
    closed,
    complete: () => void log.push('complete'),
  };
  return { sink, log, close };
}

describe('endSink', () => {
  it('calls back at once for a sink that does not say when it is closed, else once it is', async () => {
    const log: string[] = [];
    endSink(recordingSink(), 'stage', () => log.push('plain'));
    expect(log).toEqual(['plain']);
    const { sink, close } = slowSink();
    endSink(sink, 'stage', () => log.push('slow'));
    await Promise.resolve();
    expect(log).toEqual(['plain']);
    close();
    await sink.closed;
    expect(log).toEqual(['plain', 'slow']);
  });

  it('hands a reason to the sink instead, and says what a sink ended with', async () => {
    const { seen, stop } = events('stage.failed');
    const failed = recordingSink();
    const said: unknown[] = [];
    endSink(failed, 'stage', (thrown) => said.push(thrown), { error: new Error('cut') });
    expect([failed.ended, said]).toEqual([['error cut'], [undefined]]);
    const { sink } = slowSink();
    const full = new Error('full');
    const ended = new Promise((resolve) => {
      endSink({ ...sink, closed: Promise.reject(full) }, 'stage', resolve);
    });
    expect(await ended).toEqual({ error: full });
    const thrower = {
      ...failed,
      complete: (): never => {
        throw full;
      },
    };
    endSink(thrower, 'stage', (thrown) => said.push(thrown));
    stop();
    expect([said[1], seen.length]).toEqual([{ error: full }, 1]);
  });

  it('calls back for a sink that fails to close, and reports one that throws', async () => {
    const { seen, stop } = events('stage.failed');
    const log: string[] = [];
    const throws = (): never => {
      throw new Error('no');
    };
    endSink({ ...recordingSink(), complete: throws }, 'stage', () => log.push('threw'));
    endSink({ ...recordingSink(), closed: Promise.reject(new Error('no')) }, 'stage', () => log.push('rejected'));
    await Promise.resolve();
    stop();
    expect(log).toEqual(['threw', 'rejected']);
    expect(seen).toMatchObject([{ stage: 'stage' }]);
  });
});

function refuse(): never {
  throw new Error('no');
}

const inside: Readonly<Record<string, (sink: Sink<unknown>) => Stage<unknown, unknown>>> = {
  fanout: (sink) => fanout([sink, payload((value: unknown) => value)]),
  deliver: (sink) => deliver(sink),
  deadLetter: (sink) => (source) => source.pipe(deadLetter(sink), each(refuse, { onError: 'dead' })),
  route: (sink) => route([{ name: 'all', when: () => true, to: sink }]),
};

describe.each(Object.entries(inside))('a sink inside of a flow: %s (law 4, S1 drain order)', (_name, stage) => {
  it('is closed before the flow completes', async () => {
    const clock = virtualClock();
    const { sink, log, close } = slowSink();
    const seen = collect(stage(sink)(fromAsyncIterable(['a'], { clock })), (message) => message.ack());
    await clock.run(60_000);
    expect([log, seen.completed]).toEqual([['complete'], false]);
    close();
    await clock.run(1);
    expect([log, seen.completed, seen.errors]).toEqual([['complete', 'close'], true, []]);
  });

  it('is completed once, also when nobody waits for it any more', async () => {
    const clock = virtualClock();
    const { sink, log, close } = slowSink();
    const ended = collect(stage(sink)(fromAsyncIterable([], { clock })));
    clock.advance(1);
    ended.subscription.unsubscribe();
    close();
    await clock.run(1);
    expect([log, ended.completed]).toEqual([['complete', 'close'], false]);
    const left = slowSink();
    collect(stage(left.sink)(fromAsyncIterable(['a'], { clock }))).subscription.unsubscribe();
    await new Promise(setImmediate);
    expect(left.log).toEqual(['complete']);
  });

  it('is closed when a stop of the flow is done', async () => {
    const clock = virtualClock();
    const log: string[] = [];
    const closing = (): Promise<void> =>
      new Promise((resolve) => {
        clock.timer(500, () => {
          log.push('closed');
          resolve();
        });
      });
    const slow = defineSink<unknown>(
      { connector: 'slow', maxUnconfirmed: 8, open: () => ({ send: (sending) => sending.confirm(), close: closing }) },
      { clock },
    );
    const running = run(stage(slow)(fromAsyncIterable(['a', 'b'], { clock })), recordingSink<unknown>(), { clock });
    await clock.run(1);
    void running.stop().then(({ clean }) => log.push(clean ? 'stopped' : 'cut'));
    await clock.run(5_000);
    expect(log).toEqual(['closed', 'stopped']);
  });
});
