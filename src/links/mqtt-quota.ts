/** Who waits for a place. */
export interface QuotaUser {
  /** There is a place again; taking it is up to the user. */
  room(): void;
}

/**
 * How many messages with QoS 1 may be out over one connection: what the broker allows, shared by all sinks of a link.
 *
 * `suspects` are sent alone, each after the answer to the one before: one of them ended the connection before this one.
 *
 * Source: MQTT 5.0, 4.9 and 3.2.2.3.3 (Receive Maximum); a broker may end the connection of a client that sends more.
 *
 * @internal
 */
export class MqttQuota {
  private readonly places: number;
  private free: number;
  /** How many of them have no answer yet. */
  private suspects: number;
  private isAnswered = false;
  private readonly waiting = new Set<QuotaUser>();

  constructor(receiveMaximum: number, suspects: number = 0) {
    this.places = receiveMaximum;
    this.free = receiveMaximum;
    this.suspects = suspects;
  }

  get hasRoom(): boolean {
    return this.free > 0 && (this.suspects === 0 || this.free === this.places);
  }

  /** How many are out of a connection that has brought no answer at all. */
  get unanswered(): number {
    return this.isAnswered ? 0 : this.places - this.free;
  }

  take(): void {
    this.free -= 1;
  }

  /** Tells the first who waits. */
  give(): void {
    this.free += 1;
    this.isAnswered = true;
    if (this.suspects > 0) this.suspects -= 1;
    for (const user of this.waiting) {
      if (!this.hasRoom) return;
      this.waiting.delete(user);
      user.room();
    }
  }

  /** Tells `user` once when there is room. */
  wait(user: QuotaUser): void {
    this.waiting.add(user);
  }

  leave(user: QuotaUser): void {
    this.waiting.delete(user);
  }
}
