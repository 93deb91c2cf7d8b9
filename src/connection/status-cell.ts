import { Observable, type Subscriber } from 'rxjs';
import { report } from '../observability/observe.js';
import { isLegalStep, type Status } from '../observability/status.js';

/**
 * The current status and everyone who watches it: each subscriber gets the status of now and then every change. A step
 * off the legal walk is a fault in the kit itself and throws.
 *
 * @internal
 */
export class StatusCell {
  readonly connector: string;
  readonly status$: Observable<Status>;
  private readonly watchers = new Set<Subscriber<Status>>();
  private current: Status = 'idle';

  constructor(connector: string) {
    this.connector = connector;
    this.status$ = new Observable((watcher) => {
      this.watchers.add(watcher);
      watcher.next(this.current);
      return () => void this.watchers.delete(watcher);
    });
  }

  get value(): Status {
    return this.current;
  }

  /** Steps to `next`; staying where it is does nothing. */
  to(next: Status, reason?: unknown): void {
    const from = this.current;
    if (next === from) return;
    if (!isLegalStep(from, next)) throw new Error(`${this.connector}: no step from ${from} to ${next}`);
    this.current = next;
    report({
      type: 'status.changed',
      connector: this.connector,
      from,
      to: next,
      ...(reason === undefined ? {} : { reason }),
    });
    for (const watcher of [...this.watchers]) watcher.next(next);
  }
}
