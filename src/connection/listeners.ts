import type { Cancel } from '../clock.js';

/**
 * Who is called when something happens. Adding the same function twice calls it twice.
 *
 * @internal
 */
export class Listeners {
  private readonly all = new Set<() => void>();

  add(listener: () => void): Cancel {
    const own = (): void => listener();
    this.all.add(own);
    return () => void this.all.delete(own);
  }

  /** A listener may add and remove listeners, itself too. */
  tell(): void {
    if (this.all.size === 0) return;
    for (const listener of [...this.all]) listener();
  }

  clear(): void {
    this.all.clear();
  }
}
