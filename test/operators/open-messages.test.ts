import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fork, join, type Message } from 'sluice';
import { OpenMessages } from '../../src/operators/open-messages.js';
import { recorder } from '../helpers/message.js';

describe('OpenMessages', () => {
  it('holds what was added, not removed and not settled, whatever the order', () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.constant('add' as const) },
      { weight: 1, arbitrary: fc.constant('remove' as const) },
      { weight: 1, arbitrary: fc.constant('settle' as const) },
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(step, fc.nat()), { maxLength: 200 }), (steps) => {
        const { message } = recorder();
        const open = new OpenMessages();
        const model: Message<number>[] = [];
        for (const [at, [what, choice]] of steps.entries()) {
          if (what === 'add') {
            const added = message(at);
            open.add(added);
            model.push(added);
          } else if (model.length > 0) {
            const [chosen] = model.splice(choice % model.length, 1) as [Message<number>];
            if (what === 'remove') open.remove(chosen.with('copy'));
            else chosen.ack();
          }
        }
        open.remove(message(-1));
        expect(new Set(open.takeOpen())).toEqual(new Set(model));
        expect(open.takeOpen()).toEqual([]);
      }),
    );
  });

  it('lets the members of a joined message go, and keeps what was split', () => {
    const { message } = recorder();
    const open = new OpenMessages();
    const [a, b, c] = ['a', 'b', 'c'].map((text) => message(text)) as [
      Message<string>,
      Message<string>,
      Message<string>,
    ];
    for (const each of [a, b, c]) open.add(each);
    open.remove(join([a, b]));
    open.remove(fork(c, 2)[0] as Message<string>);
    expect(open.takeOpen()).toEqual([c]);
  });

  it('does not keep settled messages, however many pass', () => {
    const { message } = recorder();
    const open = new OpenMessages();
    const first = message('first');
    open.add(first);
    const window: Message<number>[] = [];
    for (let at = 0; at < 1000; at += 1) {
      const each = message(at);
      open.add(each);
      window.push(each);
      if (window.length > 5) window.shift()?.ack();
    }
    for (const each of window) each.ack();
    expect((open as unknown as { others: unknown[] }).others.length).toBeLessThan(40);
    expect(open.takeOpen()).toEqual([first]);
  });
});
