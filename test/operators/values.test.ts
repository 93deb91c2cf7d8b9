import { firstValueFrom, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { SluiceError, values } from 'sluice';
import { testSource, virtualClock } from 'sluice/testing';
import { codeOf } from '../helpers/stage.js';

describe('values', () => {
  it('acks each message before its payload comes out: a slow consumer holds no credit', async () => {
    const clock = virtualClock();
    const source = testSource<number>({ clock, credit: 1 });
    const out = firstValueFrom(source.flow.pipe(values(), toArray()));
    const acked: number[] = [];
    source.acks$.subscribe((value) => acked.push(value));
    for (const value of [1, 2, 3]) source.offer(value);
    source.end();
    clock.advance(0);
    expect(await out).toEqual([1, 2, 3]);
    expect(acked).toEqual([1, 2, 3]);
  });

  it('hands the error on, and stops the source when it is unsubscribed', () => {
    const clock = virtualClock();
    const source = testSource<number>({ clock });
    let failure: unknown;
    source.flow.pipe(values()).subscribe({ error: (error: unknown) => (failure = error) });
    clock.advance(0);
    source.lose(new SluiceError('CONNECT_FAILED', 'for good'));
    expect(codeOf(failure)).toBe('CONNECT_FAILED');
    const other = testSource<number>({ clock });
    const seen: number[] = [];
    other.flow
      .pipe(values())
      .subscribe((value) => seen.push(value))
      .unsubscribe();
    other.offer(1);
    clock.advance(60_000);
    expect([seen, other.queued]).toEqual([[], [1]]);
  });
});
