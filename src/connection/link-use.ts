import type { Link } from './define-link.js';
import { NOT_YET } from './supervisor.js';

/**
 * A source's or sink's hold on its link, where it has one: joins it with the first opening, opens over its connection as
 * soon as there is one, and passes its loss on. No promise comes in between, and no deadline but the link's own: a source
 * that gave up waiting would still be waiting for its next try when the link is back.
 *
 * @internal
 */
export class LinkUse<C> {
  private readonly link: Link<C> | undefined;
  private readonly up: () => void;
  private release: ReturnType<Link<C>['use']> | undefined;
  private lost: ((error: unknown, immediately?: boolean) => void) | undefined;

  constructor(link: Link<C> | undefined, up: () => void) {
    this.link = link;
    this.up = up;
  }

  open<R>(
    lost: (error: unknown, immediately?: boolean) => void,
    work: (connection: C) => R | PromiseLike<R>,
  ): R | PromiseLike<R> | typeof NOT_YET {
    this.lost = lost;
    if (this.link === undefined) return work(undefined as C);
    // The link waits between its own tries; waiting here too would only add to the outage.
    const passOn = (error: unknown): void => this.lost?.(error, true);
    this.release ??= this.link.use({ up: this.up, down: passOn, fatal: passOn });
    const current = this.link.current();
    return current === undefined ? NOT_YET : work(current.connection);
  }

  /** Has the link open another connection; false when there is no link. */
  renew(error: unknown): boolean {
    this.link?.renew(error);
    return this.link !== undefined;
  }

  /** What it gives resolves once the link is closed; undefined where others still use it, or it is closed already. */
  leave(): PromiseLike<void> | undefined {
    const { release } = this;
    this.release = undefined;
    return release?.();
  }
}
