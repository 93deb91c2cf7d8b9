import { Ring } from '../connection/ring.js';
import type { MqttStream } from '../links/mqtt-client.js';

/** One message with QoS 1 that the broker waits for. */
export interface Unacked {
  readonly packetId: number;
  isSettled: boolean;
}

/** PUBACK, remaining length 2: the same in 3.1.1 and, without a reason, in 5. */
const PUBACK = 0x40_02_00_00;

/**
 * What the broker is told of its messages, in the order they came: a settled one waits for all before it. What became due in
 * one turn goes out in one write, and not through the client, which would keep what is told after the connection is gone
 * and tell it the next broker.
 *
 * Source: MQTT 5.0, 4.6 (order of PUBACKs), 3.4 (PUBACK).
 *
 * @internal
 */
export class MqttAcks {
  private readonly stream: Pick<MqttStream, 'write'>;
  private readonly open = new Ring<Unacked>();
  private isOver = false;

  constructor(stream: Pick<MqttStream, 'write'>) {
    this.stream = stream;
  }

  /** How many messages the broker waits for. */
  get size(): number {
    return this.open.length;
  }

  received(packetId: number): Unacked {
    const unacked: Unacked = { packetId, isSettled: false };
    this.open.push(unacked);
    return unacked;
  }

  /** Tells what is due. */
  flush(): void {
    if (this.isOver) return;
    const ids: number[] = [];
    while (this.open.peek()?.isSettled === true) ids.push((this.open.shift() as Unacked).packetId);
    this.write(ids);
  }

  /** The last word of this reader: tells all that is settled, also behind what is not and comes again. True where there is such. */
  end(): boolean {
    if (this.isOver) return false;
    const open = this.open.clear();
    const settled = open.filter(({ isSettled }) => isSettled);
    this.write(settled.map(({ packetId }) => packetId));
    this.isOver = true;
    return settled.length < open.length;
  }

  /** The connection is gone: its identifiers mean nothing any more, or other messages. */
  drop(): void {
    this.isOver = true;
    this.open.clear();
  }

  private write(ids: readonly number[]): void {
    if (ids.length === 0) return;
    const bytes = new DataView(new ArrayBuffer(ids.length * 4));
    for (let at = 0; at < ids.length; at += 1) bytes.setUint32(at * 4, PUBACK + (ids[at] as number));
    this.stream.write(new Uint8Array(bytes.buffer));
  }
}
