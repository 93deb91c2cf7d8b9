import { NEVER, range, Subject, of, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { messages, values } from 'sluice';
import { virtualClock } from 'sluice/testing';
import { collect } from '../helpers/collect.js';

describe('messages', () => {
  it('gives what overflow names up, counted, once credit is used and the inbox is full', () => {
    const clock = virtualClock();
    const input = new Subject<number>();
    const seen = collect(input.pipe(messages({ overflow: 'drop-oldest', credit: 2, clock })));
    clock.advance(1);
    for (let at = 0; at < 6; at += 1) input.next(at);
    for (const message of [...seen.messages]) message.ack();
    clock.advance(1);
    expect(seen.payloads).toEqual([0, 1, 4, 5]);
  });

  it('errors with OVERFLOW under close when more comes than fits, once, and does not subscribe again', () => {
    const clock = virtualClock();
    const subject = new Subject<number>();
    for (const input of [range(0, 1_000), subject]) {
      const seen = collect(input.pipe(messages({ overflow: 'close', credit: 2, clock })));
      clock.advance(1);
      for (let at = 0; at < 5; at += 1) subject.next(at);
      clock.advance(60_000);
      expect(seen).toMatchObject({ payloads: [0, 1], errors: [{ code: 'OVERFLOW', retriable: false }] });
      expect(seen.messages.map((message) => message.ack())).toEqual([false, false]);
    }
    expect(subject.observed).toBe(false);
  });

  it('completes after the last settlement', () => {
    const clock = virtualClock();
    const seen = collect(of('a', 'b').pipe(messages({ overflow: 'close', clock })));
    clock.advance(1);
    expect(seen).toMatchObject({ payloads: ['a', 'b'], completed: false });
    for (const message of seen.messages) message.ack();
    clock.advance(1);
    expect(seen.completed).toBe(true);
  });

  it('errors with SOURCE_FAILED when the Observable errors, and emits nothing for one that never does', () => {
    const clock = virtualClock();
    const failed = collect(throwError(() => new Error('x')).pipe(messages({ overflow: 'close', clock })));
    const silent = collect(NEVER.pipe(messages({ overflow: 'close', clock })));
    clock.advance(1_000);
    expect(failed.errors).toMatchObject([{ code: 'SOURCE_FAILED' }]);
    expect(silent).toMatchObject({ payloads: [], completed: false, errors: [] });
  });

  it('stops listening on unsubscribe', () => {
    const clock = virtualClock();
    const input = new Subject<number>();
    const seen = collect(input.pipe(messages({ overflow: 'close', clock })));
    clock.advance(1);
    seen.subscription.unsubscribe();
    expect(input.observed).toBe(false);
  });

  it('refuses to be built without an overflow policy', () => {
    expect(() => messages({} as never)(NEVER)).toThrow(/'overflow' is missing/);
  });
});

describe('values', () => {
  it('acks each message as it arrives and passes payloads, error and completion on', () => {
    const clock = virtualClock();
    const seen: unknown[] = [];
    of(1, 2, 3)
      .pipe(messages({ overflow: 'close', credit: 3, clock }), values())
      .subscribe({ next: (value) => seen.push(value), complete: () => seen.push('end') });
    clock.advance(1);
    expect(seen).toEqual([1, 2, 3, 'end']);
    const errors: unknown[] = [];
    throwError(() => new Error('x'))
      .pipe(messages({ overflow: 'close', clock }), values())
      .subscribe({ error: (error: unknown) => errors.push(error) });
    clock.advance(1);
    expect(errors).toMatchObject([{ code: 'SOURCE_FAILED' }]);
  });
});
