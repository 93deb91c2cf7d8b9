import type { Cancel, Clock } from '../clock.js';
import { SluiceError } from '../errors.js';
import type { Reader } from './define-source.js';
import { isThenable } from './is-thenable.js';

/** What is watched. */
export interface StallHost {
  readonly connector: string;
  readonly clock: Clock;
  /** Longest silence; left out, only a reader that can be asked is watched. */
  readonly timeoutMs: number | undefined;
  /** How many messages have come. */
  received(): number;
  /** There is credit, and nothing at hand: only then silence says something. */
  isWanting(): boolean;
  /** It is up and not well, or well again. */
  degrade(error: SluiceError | undefined): void;
  /** The reader is of no use, and, when the one before it was of none either, neither is its connection. */
  lose(error: SluiceError, isRepeated: boolean): void;
}

/** With the time for an answer, a stall is found within 30 s. */
const DEFAULT_MS = 10_000;

/**
 * Finds a reader that is connected, has credit and brings nothing. Silence alone is no fault: it is one where the user
 * said so by `stallTimeoutMs`, or where the reader can ask its far side. It looks at counts now and then, so that a message
 * costs nothing.
 *
 * @internal
 */
export class StallWatch {
  private readonly host: StallHost;
  private reader: Reader | undefined;
  private timeoutMs = 0;
  /** Messages up to the last look, and since when there were no more. */
  private count = 0;
  private sinceMs = 0;
  /** Stalls without a message in between. */
  private stalls = 0;
  private stalled: SluiceError | undefined;
  /** Of the question that is out; what answers an earlier one says nothing of now. */
  private question = 0;
  private cancel: Cancel | undefined;

  constructor(host: StallHost) {
    this.host = host;
  }

  /** Watches a reader that was just opened. */
  start(reader: Reader): void {
    const { timeoutMs = reader.probe === undefined ? 0 : DEFAULT_MS } = this.host;
    if (timeoutMs === 0) return;
    this.reader = reader;
    this.timeoutMs = timeoutMs;
    this.sinceMs = this.host.clock.elapsed();
    // Opened anew is not yet well: it has to show it.
    if (this.stalled !== undefined) this.host.degrade(this.stalled);
    this.wait(timeoutMs / 4, () => this.look());
  }

  stop(): void {
    this.question += 1;
    this.cancel?.();
  }

  private look(): void {
    this.notice(false);
    if (this.host.clock.elapsed() - this.sinceMs >= this.timeoutMs) this.ask();
    else this.wait(this.timeoutMs / 4, () => this.look());
  }

  private ask(): void {
    const answer = this.answer();
    if (!isThenable(answer)) {
      this.answered(answer);
      return;
    }
    const { question } = this;
    const told = (isWell: unknown): void => {
      if (question === this.question) this.answered(isWell === true);
    };
    this.wait(this.timeoutMs, () => told(false));
    answer.then(told, () => told(false));
  }

  private answer(): boolean | PromiseLike<unknown> {
    try {
      return this.reader?.probe?.() ?? false;
    } catch {
      return false;
    }
  }

  private answered(isWell: boolean): void {
    this.question += 1;
    this.notice(isWell);
    // What the far side has may have been on its way while it said so.
    this.wait(this.timeoutMs / 4, () => {
      this.notice(false);
      if (this.host.clock.elapsed() - this.sinceMs >= this.timeoutMs) this.giveUp();
      else this.look();
    });
  }

  /** Takes in what happened since the last look. */
  private notice(isWell: boolean): void {
    const { host } = this;
    const received = host.received();
    const isAlive = isWell || received !== this.count;
    if (isAlive || !host.isWanting()) this.sinceMs = host.clock.elapsed();
    if (!isAlive) return;
    this.count = received;
    this.stalls = 0;
    if (this.stalled === undefined) return;
    this.stalled = undefined;
    host.degrade(undefined);
  }

  private giveUp(): void {
    const { host } = this;
    const silentMs = Math.round(host.clock.elapsed() - this.sinceMs);
    const error = new SluiceError(
      'STALLED',
      `${host.connector} is connected and has credit, and brought nothing for ${silentMs} ms (stallTimeoutMs).`,
      { retriable: true },
    );
    this.stalls += 1;
    this.stalled = error;
    host.degrade(error);
    host.lose(error, this.stalls > 1);
  }

  private wait(delayMs: number, work: () => void): void {
    this.cancel?.();
    this.cancel = this.host.clock.timer(delayMs, work, true);
  }
}
