import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { memoryBroker, memorySink, memorySource, route, run, topic, type Message, type Sink } from 'sluice';
import { events, recordingSink } from '../helpers/branches.js';
import { recorder } from '../helpers/message.js';

function setUp(sink: Sink<string>) {
  const recorded = recorder();
  const source = new Subject<Message<string>>();
  const { seen: failures, stop } = events('stage.failed');
  let completed = false;
  source
    .pipe(route([{ name: 'sink', when: topic('test'), to: sink }]))
    .subscribe({ complete: () => (completed = true), error: () => undefined });
  return { ...recorded, source, failures, stop, isCompleted: () => completed };
}

describe('a branch that is a sink', () => {
  it('nacks the message on which the sink throws, reports it, and goes on', () => {
    const good = recordingSink<string>();
    const { source, message, settled, failures, stop } = setUp({
      ...good,
      next(each) {
        if (each.payload === '!') throw new Error('no');
        good.next(each);
      },
    });
    for (const text of ['a', '!', 'b']) source.next(message(text));
    stop();
    expect(settled).toEqual([
      { payload: 'a', outcome: 'ack', by: 'route/sink' },
      { payload: '!', outcome: 'requeue', code: 'SINK_FAILED', by: 'route/sink' },
      { payload: 'b', outcome: 'ack', by: 'route/sink' },
    ]);
    expect(failures).toMatchObject([{ stage: 'route/sink' }]);
  });

  it('is one for all rules that name the sink, and each message still says whose it was', () => {
    const { message, settled } = recorder();
    const source = new Subject<Message<string>>();
    const { seen, stop } = events('stage.failed');
    const sink = recordingSink<string>();
    const to: Sink<string> = {
      ...sink,
      next(each) {
        if (each.topic === 'b') throw new Error('no');
        sink.next(each);
      },
    };
    source.pipe(route(['a', 'b', 'c'].map((name) => ({ name, when: topic(name), to })))).subscribe();
    for (const name of ['a', 'b', 'c']) source.next(message(name, { topic: name }));
    source.complete();
    stop();
    expect(settled.map(({ by }) => by)).toEqual(['route/a', 'route/b', 'route/c']);
    expect(seen).toMatchObject([{ stage: 'route/b' }]);
    expect(sink.ended).toEqual(['complete']);
  });

  it('does not let a throw in complete or error disturb the end of the flow', async () => {
    const throws = (): never => {
      throw new Error('no');
    };
    const completing = setUp({ ...recordingSink<string>(), complete: throws });
    completing.source.complete();
    expect(completing.isCompleted()).toBe(true);
    expect(completing.failures).toMatchObject([{ stage: 'route/sink' }]);
    completing.stop();
    const failing = setUp({ ...recordingSink<string>(), error: throws });
    failing.source.error(new Error('gone'));
    await new Promise(setImmediate);
    expect(failing.failures).toMatchObject([{ stage: 'route/sink' }]);
    failing.stop();
  });

  it('delivers to real sinks of the kit, confirmed before the message is acked', async () => {
    const broker = memoryBroker();
    for (const [at, name] of ['a', 'b', 'c'].entries()) broker.publish({ topic: 'in', payload: `${name}${at}` });
    const flow = memorySource<string>(broker, { topic: 'in' }).pipe(
      route([
        { name: 'a', when: (m) => m.payload.startsWith('a'), to: memorySink<string>(broker, { topic: 'out/a' }) },
        { name: 'b', when: (m) => m.payload.startsWith('b'), to: (source) => source },
      ]),
    );
    const rest = recordingSink<string>();
    const running = run(flow, rest);
    const got: string[] = [];
    memorySource<string>(broker, { topic: 'out/a' }).subscribe((message) => {
      got.push(message.payload);
      message.ack();
    });
    await expect.poll(() => [got, rest.taken]).toEqual([['a0'], ['b1']]);
    const { clean } = await running.stop();
    expect(clean).toBe(true);
  });
});
