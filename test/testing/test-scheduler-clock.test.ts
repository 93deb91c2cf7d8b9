import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { currentClock, systemClock } from 'sluice';
import { defineSource } from '../../src/connection/define-source.js';
import { marbles } from '../helpers/marbles.js';

describe('testSchedulerClock', () => {
  it(
    'counts frames as milliseconds and runs timers in them',
    marbles((m) => {
      const clock = currentClock();
      const seen$ = new Subject<string>();
      clock.timer(3, () => seen$.next('a'));
      clock.timer(5, () => seen$.next('never'))();
      clock.timer(7, () => seen$.next(String(clock.elapsed())));
      m.expect(seen$).toBeObservable('---a---b', { a: 'a', b: '7' });
    }),
  );

  it(
    'defers within the frame and yields behind that',
    marbles((m) => {
      const clock = currentClock();
      const seen$ = new Subject<string>();
      clock.timer(2, () => {
        clock.yield(() => seen$.next('c'));
        clock.defer(() => {
          seen$.next('a');
          clock.defer(() => seen$.next('b'));
        });
      });
      m.expect(seen$).toBeObservable('--(abc)', { a: 'a', b: 'b', c: 'c' });
    }),
  );

  it(
    'lets a flush end although a watch sets itself again in the background',
    marbles((m) => {
      const clock = currentClock();
      let looks = 0;
      const look = (): void => {
        looks += 1;
        clock.timer(2, look, true);
      };
      clock.timer(2, look, true);
      clock.timer(2, () => expect.unreachable(), true)();
      const seen$ = new Subject<number>();
      clock.timer(5, () => seen$.next(looks));
      m.expect(seen$).toBeObservable('-----a', { a: 2 });
    }),
  );

  it(
    'makes an open source with its watches end a flush too',
    marbles((m) => {
      const ticks = defineSource<string>({
        connector: 'ticks',
        credit: 1,
        open: ({ clock, offer }) => {
          clock.timer(4, () => offer({ payload: 'tick', topic: 't' }));
          return { resume: () => undefined, settle: () => undefined, close: () => undefined };
        },
      });
      const payloads$ = new Subject<string>();
      ticks.subscribe((message) => payloads$.next(message.payload));
      m.expect(payloads$).toBeObservable('----a', { a: 'tick' });
    }),
  );

  it(
    'takes a test of more than a day for one that ends',
    marbles((m) => {
      const clock = currentClock();
      const watch = (): void => void clock.timer(5_000, watch, true);
      watch();
      const seen$ = new Subject<string>();
      m.cold<string>('a 2880m b').subscribe((value) => clock.defer(() => seen$.next(value)));
      m.expect(seen$).toBeObservable('a 2880m b');
    }),
  );

  it('puts the clock of the machine back afterwards', () => {
    marbles((m) => {
      expect(currentClock()).not.toBe(systemClock);
      m.expect(m.cold('a|')).toBeObservable('a|');
    })();
    expect(currentClock()).toBe(systemClock);
  });

  it('shows a failing marble test as one line per event', () => {
    const failing = marbles((m) => m.expect(m.cold('-a|')).toBeObservable('--b'));
    expect(failing).toThrow(/1ms next a/);
  });
});
