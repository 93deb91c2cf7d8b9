import type { Clock } from '../clock.js';

/** True when it resolves within so many milliseconds; false when it takes longer or rejects. Never rejects. @internal */
export function within(clock: Clock, ms: number, work: PromiseLike<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = clock.timer(ms, () => resolve(false), true);
    const done = (isDone: boolean) => (): void => {
      cancel();
      resolve(isDone);
    };
    work.then(done(true), done(false));
  });
}
