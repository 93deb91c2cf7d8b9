import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** How a protocol cuts into frames what clients send. */
export interface Frames {
  /** How long the frame is that begins here; undefined while that cannot be told. */
  lengthOf(bytes: Buffer): number | undefined;
  /** Whether it moves messages. All else only keeps a connection alive, or opens it. */
  isWork(frame: Buffer): boolean;
  /** The answer to a frame that asks for messages: that there are none. */
  nothingFor?(frame: Buffer): Buffer | undefined;
}

/** A far side that can be made to answer signs of life and do nothing else, or to keep to itself what it has. */
export interface StallProxy {
  readonly port: number;
  /** Swallows what would move messages. */
  stall(): void;
  /** Answers for the server that there are no messages. */
  starve(): void;
  heal(): void;
  close(): Promise<void>;
}

const FETCH = 1;
/** About as long as a server lets those wait for whom it has nothing. */
const WAIT_MS = 50;

/** Source: Apache Kafka protocol guide, «Protocol Primitive Types»: size, then the key of the API. */
export const KAFKA_FRAMES: Frames = {
  lengthOf: (bytes) => (bytes.length < 6 ? undefined : 4 + bytes.readInt32BE(0)),
  // Produce and Fetch.
  isWork: (frame) => frame.readInt16BE(4) <= 1,
  nothingFor(frame) {
    const [api, version, correlation] = [frame.readInt16BE(4), frame.readInt16BE(6), frame.subarray(8, 12)];
    if (api !== FETCH) return undefined;
    // Times and session of 10 bytes, and a list of no topics, which is shorter in versions with tags: those come behind it too.
    const body = version < 12 ? Buffer.alloc(14) : Buffer.from([0, ...new Array<number>(10).fill(0), 1, 0]);
    const size = Buffer.alloc(4);
    size.writeInt32BE(4 + body.length);
    return Buffer.concat([size, correlation, body]);
  },
};

/** Source: MQTT 5.0, 2.1: type and flags, then the remaining length, in which the highest bit says that more of it follows. */
export const MQTT_FRAMES: Frames = {
  lengthOf(bytes) {
    let length = 0;
    for (let at = 1; at < Math.min(bytes.length, 5); at += 1) {
      const byte = bytes[at] as number;
      length += (byte & 127) * 128 ** (at - 1);
      if (byte < 128) return at + 1 + length;
    }
    return undefined;
  },
  // PUBLISH.
  isWork: (frame) => frame[0] !== undefined && frame[0] >> 4 === 3,
};

/** Stands between clients and a server on loopback, and knows what they talk about. */
export async function stallProxy(port: number, frames: Frames, listenPort = 0): Promise<StallProxy> {
  const sockets = new Set<Socket>();
  let fault: 'stall' | 'starve' | undefined;
  // Each way ends on its own: what the other side still sends is no error, and takes nothing with it.
  const listener = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
    const server = connect({ host: '127.0.0.1', port, noDelay: true, allowHalfOpen: true });
    let early: Buffer = Buffer.alloc(0);
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(one);
      one.on('error', () => other.resetAndDestroy());
      one.on('close', () => void sockets.delete(one));
    }
    server.pipe(client);
    client.on('end', () => server.end());
    client.on('data', (chunk: Buffer) => {
      let bytes = early.length === 0 ? chunk : Buffer.concat([early, chunk]);
      for (;;) {
        const length = frames.lengthOf(bytes);
        if (length === undefined || length > bytes.length) break;
        const frame = bytes.subarray(0, length);
        const nothing = fault === 'starve' ? frames.nothingFor?.(frame) : undefined;
        if (nothing !== undefined) setTimeout(() => client.write(nothing), WAIT_MS);
        else if (fault !== 'stall' || !frames.isWork(frame)) server.write(frame);
        bytes = bytes.subarray(length);
      }
      early = bytes;
    });
  });
  await new Promise<void>((resolve) => listener.listen(listenPort, '127.0.0.1', resolve));
  return {
    port: (listener.address() as AddressInfo).port,
    stall: () => void (fault = 'stall'),
    starve: () => void (fault = 'starve'),
    heal: () => void (fault = undefined),
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => listener.close(() => resolve()));
    },
  };
}
