import type { Cancel, Clock } from '../clock.js';
import { metBy, SluiceError, toSluiceError } from '../errors.js';
import { report } from '../observability/observe.js';
import type { Backoff } from './backoff.js';
import { isThenable } from './is-thenable.js';
import { quietly } from './quietly.js';
import type { StatusCell } from './status-cell.js';

/** What `open` returns while there is nothing to open it over: {@link Supervisor.retry} is called when there is. */
export const NOT_YET: unique symbol = Symbol('sluice.not-yet');

/** What a supervisor keeps open. */
export interface Supervised<R> {
  readonly clock: Clock;
  readonly backoff: Backoff;
  readonly connectTimeoutMs: number;
  readonly status: StatusCell;
  /**
   * Opens it, at once or later. `lost` says that it, or the try itself, is over. What is given to `abandoned` is called
   * when the try is given up while it still opens.
   */
  open(
    lost: (error: unknown, immediately?: boolean) => void,
    abandoned: (drop: () => void) => void,
  ): R | PromiseLike<R> | typeof NOT_YET;
  /** Throws for what cannot be used: who opens it in plain JavaScript may have forgotten to return it. */
  check?(resource: R): void;
  close(resource: R): void | PromiseLike<void>;
  up(resource: R): void;
  down(error: unknown): void;
  /** It will not be tried again. */
  fatal(error: SluiceError): void;
}

/**
 * Keeps one thing open until it is stopped: opens it, opens it again with growing, jittered waits after it was lost, and
 * gives up on errors that are not retriable. The wait starts small again only after a stable period, so that a link that
 * flaps does not become a storm. What opens at once is up at once: no promise comes in between.
 *
 * @internal
 */
export class Supervisor<R> {
  private readonly plan: Supervised<R>;
  private resource: { readonly value: R } | undefined;
  /** Grows with every try, so that what belongs to an earlier one is recognised and closed. */
  private generation = 0;
  private failures = 0;
  private upSinceMs = 0;
  private cancelTimer: Cancel | undefined;
  /** Drops what is half open. */
  private drop: (() => void) | undefined;
  private stopped = false;
  /** Waits to be told to try, without a deadline of its own. */
  private isWaiting = false;

  constructor(plan: Supervised<R>) {
    this.plan = plan;
  }

  start(): void {
    this.stopped = false;
    this.failures = 0;
    const { generation } = this;
    this.plan.status.to('connecting');
    if (generation === this.generation) this.attempt();
  }

  /** What is open is not usable any more: opens it again. */
  lose(error: unknown): void {
    if (!this.stopped) this.lost(this.generation, error);
  }

  /** There is now what {@link NOT_YET} was returned for. */
  retry(): void {
    if (this.isWaiting && !this.stopped) this.attempt();
  }

  /** Closes what is open and ends the tries. Returns a promise only when closing takes time. */
  stop(): PromiseLike<void> | undefined {
    if (this.stopped) return undefined;
    this.end();
    const { status } = this.plan;
    if (status.value === 'idle') {
      status.to('closed');
      return undefined;
    }
    status.to('closing');
    const closing = this.closeResource();
    if (closing !== undefined) return this.closed(closing);
    status.to('closed');
    return undefined;
  }

  /** What never says that it is closed must not keep the flow, or the next user of its link, waiting for ever. */
  private closed(closing: PromiseLike<void>): Promise<void> {
    const { clock, status } = this.plan;
    let cancel: Cancel;
    const late = new Promise<SluiceError>((resolve) => {
      const text = `Not closed after ${LONGEST_CLOSE_MS} ms; it is left as it is.`;
      cancel = clock.timer(LONGEST_CLOSE_MS, () =>
        resolve(metBy(status.connector, new SluiceError('CONNECTION_LOST', text))),
      );
    });
    return Promise.race([closing, late]).then((error) => {
      cancel();
      status.to('closed', error);
    });
  }

  private end(): void {
    this.stopped = true;
    this.generation += 1;
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    this.abandon();
  }

  private abandon(): void {
    const { drop } = this;
    this.drop = undefined;
    if (drop !== undefined) quietly(this.plan.status.connector, drop);
  }

  private attempt(): void {
    const { clock, connectTimeoutMs } = this.plan;
    this.generation += 1;
    const generation = this.generation;
    this.isWaiting = false;
    let opening: R | PromiseLike<R> | typeof NOT_YET;
    try {
      opening = this.plan.open(
        (error, immediately) => this.lost(generation, error, immediately),
        (drop) => {
          if (generation === this.generation) this.drop = drop;
          else quietly(this.plan.status.connector, drop);
        },
      );
    } catch (error) {
      this.lost(generation, error);
      return;
    }
    if (opening === NOT_YET) {
      this.isWaiting = true;
      return;
    }
    if (!isThenable(opening)) {
      this.opened(generation, opening);
      return;
    }
    const late = (): void =>
      this.lost(
        generation,
        new SluiceError('CONNECT_TIMEOUT', `Not open after ${connectTimeoutMs} ms (connectTimeoutMs).`, {
          retriable: true,
        }),
      );
    const cancel = clock.timer(connectTimeoutMs, late);
    this.cancelTimer = cancel;
    opening.then(
      (value) => {
        cancel();
        this.opened(generation, value);
      },
      (error: unknown) => {
        cancel();
        this.lost(generation, error);
      },
    );
  }

  private opened(generation: number, value: R): void {
    if (generation !== this.generation) {
      settleQuietly(() => this.plan.close(value));
      return;
    }
    this.drop = undefined;
    try {
      this.plan.check?.(value);
    } catch (error) {
      this.lost(generation, error);
      return;
    }
    this.resource = { value };
    this.upSinceMs = this.plan.clock.elapsed();
    this.plan.status.to('connected');
    // Who heard of it may have stopped us for it.
    if (generation === this.generation) this.plan.up(value);
  }

  private lost(generation: number, reason: unknown, immediately = false): void {
    if (generation !== this.generation) return;
    const { clock, backoff, status } = this.plan;
    const error = metBy(
      status.connector,
      toSluiceError(reason, 'CONNECT_FAILED', 'The connection failed', { retriable: true }),
    );
    this.cancelTimer?.();
    this.isWaiting = false;
    const now = (this.generation += 1);
    this.abandon();
    const wasUp = this.resource !== undefined;
    if (wasUp && clock.elapsed() - this.upSinceMs >= backoff.stableMs) this.failures = 0;
    this.failures += 1;
    if (wasUp) this.plan.down(error);
    // Taking the loss down may have stopped us, and even have us begun anew.
    if (now !== this.generation) return;
    if (!error.retriable || this.failures >= (backoff.tries ?? Infinity)) {
      const last = final(error, this.failures);
      this.end();
      status.to('closing', last);
      void this.closeResource();
      status.to('closed', last);
      this.plan.fatal(last);
      return;
    }
    void this.closeResource();
    if (now !== this.generation) return;
    status.to('reconnecting', error);
    const waitMs = immediately ? 0 : backoff.delayMs(this.failures, clock) + askedMs(error);
    report({
      type: 'connect.failed',
      connector: status.connector,
      attempt: this.failures,
      retryInMs: waitMs,
      reason: error,
    });
    // Who heard of it may have stopped us for it.
    if (now === this.generation) this.cancelTimer = clock.timer(waitMs, () => this.attempt());
  }

  private closeResource(): PromiseLike<void> | undefined {
    const { resource } = this;
    this.resource = undefined;
    return resource === undefined ? undefined : settleQuietly(() => this.plan.close(resource.value));
  }
}

/** Longer than any client of ours takes that its far side leaves without an answer. */
const LONGEST_CLOSE_MS = 30_000;

/** A far side that says when to come again may not keep us away for longer. */
const LONGEST_ASKED_MS = 60_000;

/** How long the far side asks to wait; the jitter on top keeps those apart that are told the same. */
function askedMs({ details }: SluiceError): number {
  const { retryAfterMs } = details;
  return typeof retryAfterMs === 'number' ? Math.min(retryAfterMs, LONGEST_ASKED_MS) : 0;
}

/** What nobody tries again is not retriable, whatever it was: who waits for it would try for ever. */
function final(error: SluiceError, tries: number): SluiceError {
  if (!error.retriable) return error;
  const { code, message, details } = error;
  const said = /[.?!]$/.test(message) ? message : `${message}.`;
  return new SluiceError(code, `${said} Given up after ${tries} tries.`, { details, cause: error });
}

/** Runs what may throw or reject while nobody can do anything about it any more. */
function settleQuietly(work: () => void | PromiseLike<void>): PromiseLike<void> | undefined {
  try {
    const done = work();
    return isThenable(done) ? done.then(undefined, () => undefined) : undefined;
  } catch {
    return undefined;
  }
}
