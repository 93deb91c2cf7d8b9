import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { payload, route, tapMessage, topic, where, type Message, type Rule } from 'sluice';
import { recordingSink } from '../helpers/branches.js';
import { recorder } from '../helpers/message.js';

/** Rules `a`, `b`, … by topic, each to the stage given. */
function rulesTo(...stages: readonly Rule<string, string>['to'][]): Rule<string, string>[] {
  return stages.map((to, at) => {
    const name = String.fromCharCode(97 + at);
    return { name, when: topic(name), to };
  });
}

function setUp(rules: readonly Rule<string, string>[], match: 'first' | 'all' = 'first') {
  const recorded = recorder();
  const source = new Subject<Message<string>>();
  const out: string[] = [];
  const ends: string[] = [];
  const subscription = source.pipe(route(rules, { match })).subscribe({
    next: (message) => {
      out.push(message.payload);
      message.ack();
    },
    error: (error: unknown) => ends.push(`error ${(error as Error).message}`),
    complete: () => ends.push('complete'),
  });
  const give = (name: string): void => source.next(recorded.message(name, { topic: name }));
  return { ...recorded, source, out, ends, subscription, give };
}

describe('a branch that is a stage without a state', () => {
  it('serves all rules that name the stage, and completes once', () => {
    const loud = payload((text: string) => `${text}!`);
    const { out, settled, ends, source, give } = setUp(
      rulesTo(
        loud,
        loud,
        where(() => false),
      ),
    );
    for (const name of ['a', 'b', 'c', 'a']) give(name);
    expect(out).toEqual(['a!', 'b!', 'a!']);
    expect(settled.map(({ by, note }) => note ?? by)).toEqual(['payload', 'payload', 'filtered', 'payload']);
    source.complete();
    expect(ends).toEqual(['complete']);
  });

  it('nacks what its function throws on, and goes on', () => {
    const { out, settled, give } = setUp(
      rulesTo(
        tapMessage((message) => {
          if (message.attempt === 1 && message.payload === 'a') throw new Error('no');
        }),
        payload((text) => text),
      ),
    );
    give('a');
    give('b');
    expect(out).toEqual(['b']);
    expect(settled[0]).toMatchObject({ payload: 'a', outcome: 'dead', code: 'HANDLER_FAILED' });
  });

  it('hands the error of the source on, once', () => {
    const same = payload((text: string) => text);
    const { source, ends } = setUp(rulesTo(same, same));
    source.error(new Error('gone'));
    expect(ends).toEqual(['error gone']);
  });

  it('hands back a part that comes when another branch of the same message has made the flow end', () => {
    const sink = recordingSink<string>();
    const { source, subscription, message, out, open, settled } = setUp(
      [
        { name: 'ends', when: topic('#'), to: { ...sink, next: () => subscription.unsubscribe() } },
        { name: 'late', when: topic('#'), to: payload((text: string) => text) },
      ],
      'all',
    );
    source.next(message('x'));
    expect([out, open.length]).toEqual([[], 0]);
    expect(settled).toMatchObject([{ payload: 'x', outcome: 'release' }]);
  });

  it('has a branch of its own where its rule has a budget', () => {
    const same = payload((text: string) => text);
    const held: Message<string>[] = [];
    const recorded = recorder();
    const source = new Subject<Message<string>>();
    source
      .pipe(
        route([
          { name: 'free', when: topic('free'), to: same },
          { name: 'one', when: topic('one'), to: same, budget: 1 },
        ]),
      )
      .subscribe((message) => held.push(message));
    for (const name of ['one', 'one', 'free', 'free']) source.next(recorded.message(name, { topic: name }));
    expect(held.map((message) => message.payload)).toEqual(['one', 'free', 'free']);
  });
});
