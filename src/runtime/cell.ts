import { Observable, type Subscriber } from 'rxjs';

/**
 * A value that can be watched: each subscriber gets the value of now, then every change, then the end.
 *
 * @internal
 */
export class Cell<T> {
  readonly value$: Observable<T>;
  private readonly watchers = new Set<Subscriber<T>>();
  private current: T;
  private over = false;

  constructor(initial: T) {
    this.current = initial;
    this.value$ = new Observable((watcher) => {
      watcher.next(this.current);
      if (this.over) {
        watcher.complete();
        return undefined;
      }
      this.watchers.add(watcher);
      return () => void this.watchers.delete(watcher);
    });
  }

  get isOver(): boolean {
    return this.over;
  }

  get value(): T {
    return this.current;
  }

  set(next: T): void {
    if (this.over || next === this.current) return;
    this.current = next;
    for (const watcher of [...this.watchers]) watcher.next(next);
  }

  end(last: T): void {
    this.set(last);
    this.over = true;
    for (const watcher of [...this.watchers]) watcher.complete();
    this.watchers.clear();
  }
}
