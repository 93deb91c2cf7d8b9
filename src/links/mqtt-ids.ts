const LAST = 65_535;

/**
 * Packet identifiers for the client. Its own provider counts round without a look, so an answer that is long in coming
 * would be taken for that of another message.
 *
 * Source: MQTT 5.0, 2.2.1: an identifier in use must not be given again.
 *
 * @internal
 */
export class MqttIds {
  private readonly used = new Uint8Array(LAST + 1);
  private count = 0;
  private last = 0;

  /** The next free one; `null` when all are in use. */
  allocate(): number | null {
    if (this.count === LAST) return null;
    let id = this.last;
    do id = id === LAST ? 1 : id + 1;
    while (this.used[id] === 1);
    this.last = id;
    this.register(id);
    return id;
  }

  getLastAllocated(): number | null {
    return this.last === 0 ? null : this.last;
  }

  /** False when it is in use. */
  register(id: number): boolean {
    if (this.used[id] === 1) return false;
    this.used[id] = 1;
    this.count += 1;
    return true;
  }

  deallocate(id: number): void {
    if (this.used[id] !== 1) return;
    this.used[id] = 0;
    this.count -= 1;
  }

  clear(): void {
    this.used.fill(0);
    this.count = 0;
  }
}
