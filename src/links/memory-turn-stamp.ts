import type { Clock } from '../clock.js';

/** Stamps between two looks at the clock: a look costs about as much as storing a message. */
const LOOK_EVERY = 16;

/**
 * The wall time of this turn, looked up once for a burst of messages.
 *
 * @internal
 */
export class TurnStamp {
  private clock: Clock | undefined;
  private stampMs = 0;
  private left = 0;
  /** True until the turn is over. */
  private inTurn = false;

  read(clock: Clock): number {
    if (this.left > 0 && this.inTurn && clock === this.clock) {
      this.left -= 1;
      return this.stampMs;
    }
    if (!this.inTurn || clock !== this.clock) {
      this.clock = clock;
      this.inTurn = true;
      clock.defer(this.endTurn);
    }
    this.left = LOOK_EVERY - 1;
    return (this.stampMs = clock.now());
  }

  private readonly endTurn = (): void => {
    this.inTurn = false;
  };
}
