import { describe, expect, it } from 'vitest';
import type { Message } from 'sluice';
import { testSource, virtualClock } from 'sluice/testing';
import { type Envelope, isOpen, mark } from '../../src/message/envelope.js';
import { type RelayOwner, Relays } from '../../src/message/relay.js';
import { isLastAttempt } from '../../src/message/parts.js';
import { fork, join, originsOf } from '../../src/message/settlement.js';
import type { Parked } from '../../src/message/settler.js';
import { recorder } from '../helpers/message.js';

function setUp(owner?: Partial<RelayOwner>, maxAttempts: number = 5) {
  const clock = virtualClock();
  const source = testSource<string>({ clock, credit: 4, maxAttempts });
  const heard: string[] = [];
  const relays = new Relays({
    settled(original, outcome, reason) {
      heard.push(`${String(original.payload)}:${outcome}`);
      original.settle(outcome, reason);
    },
    ...owner,
  });
  const passed: Message<string>[] = [];
  const originals: Message<string>[] = [];
  source.flow.subscribe((message) => {
    originals.push(message);
    passed.push(relays.pass(message));
  });
  const outcomes: string[] = [];
  source.events$.subscribe((event) => outcomes.push(`${event.record.value}:${event.type}`));
  return { clock, source, heard, passed, originals, outcomes, relays };
}

function park(message: Message<unknown>, back: () => void, gone: () => void = () => undefined): Parked {
  const { root } = message as Envelope<unknown>;
  return root.settler.park?.(root, { back, gone }) as Parked;
}

describe('Relays', () => {
  it('passes a message whose end the owner hears of and decides on', () => {
    const { clock, source, heard, passed, originals } = setUp();
    source.offer('a');
    source.offer('b');
    clock.advance(0);
    const [a, b] = passed as [Message<string>, Message<string>];
    expect(a.id).toBe('0');
    expect(isOpen(a)).toBe(true);
    expect(a.ack()).toBe(true);
    expect(isOpen(originals[0] as Message<string>)).toBe(false);
    expect(a.ack()).toBe(false);
    b.nack(new Error('no'), 'dead');
    expect(heard).toEqual(['a:ack', 'b:dead']);
    expect(source.unsettled).toEqual([]);
  });

  it('ends the passed message with its original: signal, openness, last attempt, origins', () => {
    const { clock, source, passed, originals } = setUp({}, 1);
    source.offer('a');
    clock.advance(0);
    const [passedOne] = passed as [Message<string>];
    const [original] = originals as [Message<string>];
    const parts = fork(passedOne, 2);
    const joined = join(parts);
    expect(isLastAttempt(joined)).toBe(true);
    expect([...originsOf(joined)]).toEqual([original]);
    expect(isOpen(joined)).toBe(true);
    const { signal } = passedOne;
    source.lose(new Error('cut'));
    expect(signal.aborted).toBe(true);
    expect(isOpen(joined)).toBe(false);
    joined.ack();
    expect(isOpen(passedOne)).toBe(false);
  });

  it('says of a settlement that it touched nothing, once the source took back what it was made from (law 1)', () => {
    const { clock, source, passed, heard } = setUp();
    for (const value of ['a', 'b', 'c', 'd']) source.offer(value);
    clock.advance(0);
    const [a, b, c, d] = passed as [Message<string>, Message<string>, Message<string>, Message<string>];
    const [part] = fork(b, 2) as [Message<string>];
    const joined = join([c, d]);
    source.lose(new Error('cut'));
    expect([a.ack(), part.nack('no'), joined.ack()]).toEqual([false, false, false]);
    expect(heard).toEqual(['a:ack', 'b:requeue', 'c:ack', 'd:ack']);
  });

  it('lets the original wait without credit, and its owner say when it goes on', () => {
    const told: string[] = [];
    let go = (): void => undefined;
    const { clock, source, passed, outcomes } = setUp({
      aside: (original) => void told.push(`aside ${String(original.payload)}`),
      back: (original, next) => {
        told.push(`back ${String(original.payload)}`);
        go = next;
      },
    });
    source.offer('a');
    clock.advance(0);
    const parked = park((passed[0] as Message<string>).with('a!'), () => void told.push('on'));
    parked.bring();
    clock.advance(0);
    expect(told).toEqual(['aside a', 'back a']);
    go();
    expect(told).toEqual(['aside a', 'back a', 'on']);
    passed[0]?.ack();
    expect(outcomes).toEqual(['a:delivered', 'a:ack']);
  });

  it('names on the original who holds the passed one and who settled it (law 7)', () => {
    const { clock, source, passed, originals } = setUp();
    source.offer('a');
    clock.advance(0);
    const [one] = passed as [Envelope<string>];
    const [original] = originals as [Envelope<string>];
    expect(one.holder).toBe(original.holder);
    mark(one, 'slow sink');
    expect(original.holder).toBe('slow sink');
    mark(original, 'above');
    one.ack();
    expect(original.holder).toBe('slow sink');
  });

  it('asks the source how many may be out', () => {
    const { relays } = setUp();
    expect((relays.pass(recorder().message('a')) as Envelope<string>).settler.limit()).toBe(16);
  });

  it('tells who let it wait that it is gone, and no owner of what cannot wait', () => {
    const told: string[] = [];
    const aside = (): void => void told.push('aside');
    const { clock, source, passed, relays } = setUp({ aside, back: (_original, go) => go() });
    expect(park(relays.pass(recorder().message('b')), () => undefined)).toBe(undefined);
    expect(told).toEqual([]);
    source.offer('a');
    clock.advance(0);
    park(
      passed[0] as Message<string>,
      () => undefined,
      () => void told.push('gone'),
    );
    source.lose(new Error('cut'));
    expect(told).toEqual(['aside', 'gone']);
  });
});
