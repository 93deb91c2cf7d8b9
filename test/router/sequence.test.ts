import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sequence, topic, type When } from 'sluice';
import { virtualClock } from 'sluice/testing';
import { compileRules } from '../../src/router/compile-rules.js';
import { recorder } from '../helpers/message.js';
import { compiled, rulesOf } from '../helpers/rules.js';
import { runs } from '../helpers/runs.js';

const { message } = recorder();

describe('sequence', () => {
  const failed = topic('login/failed');
  const ok = topic('login/ok');

  function steps(options: { maxKeys?: number; withinMs?: number } = {}, ...others: When<never>[]) {
    const clock = virtualClock();
    const rule = sequence(failed, ok, { withinMs: 100, ...options });
    const matcher = compileRules('route', rulesOf(rule, ...others), 'first').start(clock);
    const send = (name: string, k?: string): number => matcher.first(message(0, { topic: `login/${name}`, key: k }));
    return { clock, send };
  }

  it('matches the second message when the first came before it', () => {
    const { send } = steps();
    expect([send('ok', 'u'), send('failed', 'u'), send('ok', 'u')]).toEqual([-1, -1, 0]);
  });

  it('is used up by a match', () => {
    const { send } = steps();
    expect([send('failed', 'u'), send('ok', 'u'), send('ok', 'u')]).toEqual([-1, 0, -1]);
  });

  it('matches the message again that a match was used up by: it is redelivered, and belongs where it was', () => {
    const clock = virtualClock();
    const matcher = compileRules('route', rulesOf(sequence(failed, ok, { withinMs: 100, maxKeys: 2 })), 'first').start(
      clock,
    );
    const send = (name: string, id: string, key = 'u'): number =>
      matcher.first(message(0, { topic: `login/${name}`, key, id }));
    expect([send('failed', '1'), send('ok', '2'), send('ok', '2'), send('ok', '3')]).toEqual([-1, 0, 0, -1]);
    clock.advance(1_000);
    expect([send('failed', '4'), send('ok', '2'), send('ok', '5'), send('ok', '5'), send('ok', '2')]).toEqual([
      -1, 0, 0, 0, -1,
    ]);
    // It remembers no more of them than of those that wait.
    for (const key of ['v', 'w']) expect([send('failed', '6', key), send('ok', key, key)]).toEqual([-1, 0]);
    expect([send('ok', '5'), send('ok', 'v', 'v'), send('ok', 'w', 'w')]).toEqual([-1, 0, 0]);
  });

  it('keeps keys apart', () => {
    const { send } = steps();
    expect([send('failed', 'u'), send('ok', 'v'), send('ok', 'u')]).toEqual([-1, -1, 0]);
  });

  it('forgets the first message after withinMs, counted from the last one', () => {
    const { clock, send } = steps();
    send('failed', 'u');
    clock.advance(80);
    send('failed', 'u');
    clock.advance(100);
    expect(send('ok', 'u')).toBe(0);
    send('failed', 'u');
    clock.advance(101);
    expect(send('ok', 'u')).toBe(-1);
  });

  it('remembers at most maxKeys, the newest', () => {
    const { send } = steps({ maxKeys: 2 });
    for (const k of ['a', 'b', 'a', 'c']) send('failed', k);
    expect([send('ok', 'b'), send('ok', 'a'), send('ok', 'c')]).toEqual([-1, 0, 0]);
  });

  it('counts the age of a key from its last first message', () => {
    const { send } = steps({ maxKeys: 3 });
    for (const k of ['a', 'b', 'a', 'c', 'd']) send('failed', k);
    expect(['a', 'b', 'c', 'd'].map((k) => send('ok', k))).toEqual([0, -1, 0, 0]);
  });

  it('sees messages that another rule takes', () => {
    const clock = virtualClock();
    const rules = rulesOf(topic('login/failed'), sequence(failed, ok, { withinMs: 100 }), topic('login/ok'));
    const matcher = compileRules('route', rules, 'first').start(clock);
    const send = (name: string): number => matcher.first(message(0, { topic: `login/${name}` }));
    expect([send('ok'), send('failed'), send('ok')]).toEqual([2, 0, 1]);
    const all = compileRules('route', rules, 'all').start(clock);
    const each = (name: string): number[] => all.all(message(0, { topic: `login/${name}` })).toArray();
    expect([each('ok'), each('failed'), each('ok')]).toEqual([[2], [0], [1, 2]]);
  });

  it('does not begin the next one with the message that ends this one', () => {
    const matcher = compiled('all', sequence(topic('tick'), topic('tick'), { withinMs: 1 }));
    const tick = (): number[] => matcher.all(message(0, { topic: 'tick' })).toArray();
    expect([tick(), tick(), tick(), tick()]).toEqual([[], [0], [], [0]]);
  });

  it('goes on as if it were alone, whatever other sequences a message is a step of', () => {
    const name = fc.constantFrom('a', 'b', 'c');
    fc.assert(
      fc.property(fc.array(fc.tuple(name, name), { minLength: 2, maxLength: 4 }), fc.array(name), (pairs, sent) => {
        const rules = pairs.map(([first, second]) => sequence(topic(first), topic(second), { withinMs: 1_000 }));
        const together = compiled('all', ...rules);
        const alone = rules.map((rule) => compiled('all', rule));
        for (const each of sent.map((one) => message(0, { topic: one }))) {
          const expected = alone.flatMap((matcher, at) => (matcher.all(each).count === 0 ? [] : [at]));
          expect(together.all(each).toArray()).toEqual(expected);
        }
      }),
      { numRuns: runs(200) },
    );
  });

  it('takes its groups from a key of its own', () => {
    const rule = sequence<never>(failed, ok, { withinMs: 1, key: (each) => each.payload });
    const matcher = compiled('first', rule);
    const send = (name: string, user: string): number => matcher.first(message(user, { topic: `login/${name}` }));
    expect([send('failed', 'u'), send('ok', 'v'), send('ok', 'u')]).toEqual([-1, -1, 0]);
  });

  it('starts anew with each subscription', () => {
    const rules = compileRules('route', rulesOf(sequence(failed, ok, { withinMs: 100 })), 'first');
    const clock = virtualClock();
    rules.start(clock).first(message(0, { topic: 'login/failed' }));
    expect(rules.start(clock).first(message(0, { topic: 'login/ok' }))).toBe(-1);
  });
});
