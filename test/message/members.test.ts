import { describe, expect, it } from 'vitest';
import { fork, join, type Message } from 'sluice';
import type { SourceHandle } from '../../src/connection/scope.js';
import type { Envelope } from '../../src/message/envelope.js';
import { Members } from '../../src/message/members.js';
import { isLastAttempt, joinedIn } from '../../src/message/parts.js';
import { Relays } from '../../src/message/relay.js';
import { emitted } from '../helpers/parking.js';
import { recorder } from '../helpers/message.js';

/** A batch that a stage answers for, taken apart. */
function apartOf(members: readonly Message<string>[]) {
  const relays = new Relays({ settled: (original, outcome, reason) => void original.settle(outcome, reason) });
  const batch = relays.pass(join(members));
  const all = new Members(batch, joinedIn(batch) as readonly Message<unknown>[]);
  const parts = members.map(({ payload }, at) => all.take(at, payload));
  all.seal();
  return { batch, parts };
}

describe('Members', () => {
  it('settle the batch once all of them are, each with its own outcome, reason and note', () => {
    const { message, log } = recorder();
    const { parts } = apartOf(['a', 'b', 'c', 'd'].map((text) => message<string>(text)));
    parts[0]?.nack(new Error('no'), 'dead');
    parts[1]?.ack('filtered');
    parts[3]?.nack(new Error('again'));
    expect(log).toEqual([]);
    parts[2]?.ack();
    expect(log).toEqual(['a dead no', 'b ack (filtered)', 'c ack', 'd requeue again']);
    expect(parts[2]?.ack()).toBe(false);
  });

  it('do not wait for one whose message was settled elsewhere or taken back, before or after the others', () => {
    for (const isEarly of [true, false]) {
      const { message, log } = recorder();
      const split = message('split');
      const [part, other] = fork(split, 2) as [Message<string>, Message<string>];
      const { parts } = apartOf([message<string>('whole'), part]);
      if (isEarly) other.nack(new Error('no'), 'drop');
      parts[0]?.ack();
      if (!isEarly) other.nack(new Error('no'), 'drop');
      expect(log.toSorted()).toEqual(['split drop no', 'whole ack']);
    }
  });

  it('ack nothing that the lost connection of their source brings again', () => {
    const { source, out } = emitted('ab', { credit: 2 });
    const outcomes: string[] = [];
    source.events$.subscribe(({ type, record }) => outcomes.push(`${record.value} ${type}`));
    const { parts } = apartOf([...out].reverse());
    parts[0]?.ack();
    source.lose(new Error('cut'));
    expect(outcomes).toEqual(['a delivered', 'b delivered', 'a taken-back', 'b taken-back']);
    expect(parts.map((each) => each.signal.aborted)).toEqual([true, true]);
    const { counts } = (out[0] as Envelope<string>).settler as unknown as SourceHandle;
    expect([counts.acked, counts.released]).toEqual([0, 2]);
  });

  it('have from their members what is not their payload', () => {
    const { message } = recorder();
    const inner = join([message('x')]);
    const members = [message<string>('a', { key: 'k', attempt: 3 }), inner as unknown as Message<string>];
    const { batch, parts } = apartOf(members);
    const [first, second] = parts as [Envelope<string>, Envelope<string>];
    expect([first.key, first.attempt, first.id, isLastAttempt(first)]).toEqual(['k', 3, members[0]?.id, false]);
    expect(joinedIn(second)?.length).toBe(1);
    expect(joinedIn(first)).toBeUndefined();
    expect(joinedIn(batch)?.length).toBe(2);
  });
});
