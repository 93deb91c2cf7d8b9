import { BehaviorSubject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { type Message } from 'sluice';
import { WaitingMembers } from '../../src/message/waiting-members.js';
import { recorder } from '../helpers/message.js';
import { emitted } from '../helpers/parking.js';

function waiting(members: readonly Message<unknown>[]) {
  const told: string[] = [];
  const parked = WaitingMembers.of(members, { back: () => told.push('back'), gone: () => told.push('gone') });
  return { parked: parked as WaitingMembers, told };
}

describe('WaitingMembers', () => {
  it('come back once all of them have their credit, the batch that asked first before the other', () => {
    const { clock, out, shown } = emitted('abcdefgh', { credit: 4 });
    const first = waiting(out.slice(0, 2));
    const second = waiting(out.slice(2, 4));
    clock.advance(0);
    expect(shown()).toBe('abcdefgh');
    expect([first.parked.bring(), second.parked.bring(), first.parked.bring()]).toEqual([false, false, false]);
    out[4]?.ack();
    out[5]?.ack();
    clock.advance(0);
    expect([first.told, second.told]).toEqual([['back'], []]);
    out[6]?.ack();
    clock.advance(0);
    expect(second.told).toEqual([]);
    out[7]?.ack();
    clock.advance(0);
    expect(second.told).toEqual(['back']);
  });

  it('come back also where the credit was lowered below their number, within the one that they left', () => {
    const credit$ = new BehaviorSubject(4);
    const { clock, out, shown } = emitted('abcdefg', { credit: credit$ });
    const { parked, told } = waiting(out.slice(0, 3));
    clock.advance(0);
    expect(shown()).toBe('abcdefg');
    credit$.next(1);
    parked.bring();
    clock.advance(0);
    expect([out[3]?.ack(), out[4]?.ack(), told]).toEqual([true, true, []]);
    clock.advance(0);
    expect(told).toEqual([]);
    expect(out[5]?.ack()).toBe(true);
    clock.advance(0);
    expect(told).toEqual(['back']);
  });

  it('come back also where the credit was lowered before they began to wait', () => {
    const credit$ = new BehaviorSubject(3);
    const { clock, out } = emitted('abc', { credit: credit$ });
    credit$.next(1);
    const { parked, told } = waiting(out);
    parked.bring();
    clock.advance(0);
    expect(told).toEqual(['back']);
  });

  it('wait while the credit is 0, and come back with the first that there is', () => {
    const credit$ = new BehaviorSubject(2);
    const { clock, out } = emitted('ab', { credit: credit$ });
    const { parked, told } = waiting(out);
    credit$.next(0);
    parked.bring();
    clock.advance(0);
    expect(told).toEqual([]);
    credit$.next(1);
    clock.advance(0);
    expect(told).toEqual(['back']);
  });

  it('are gone, once, with the first that is', () => {
    const { source, out } = emitted('ab', { credit: 4 });
    const { told } = waiting(out);
    source.lose(new Error('cut'));
    expect(told).toEqual(['gone']);
  });

  it('do not wait when none of them can give its credit back', () => {
    const { message } = recorder();
    expect(waiting([message('a'), message('b')]).parked).toBeUndefined();
  });
});
