import { connect, createServer, type Server, type Socket } from 'node:net';
import { systemClock, type Clock } from '../clock.js';
import { checkOptions, having, integer, numeric, required } from '../connection/options.js';
import type { Direction } from './direction.js';

/** Options of {@link faultProxy}. */
export interface FaultProxyOptions {
  /** The port of the real server, on loopback: 1 to 65,535. */
  readonly port: number;
  /** The port to listen on, up to 65,535. Default: any free one. */
  readonly listenPort?: number;
  /** Of the choice which connections a fault hits, and of jitter. Default: the clock of the machine. */
  readonly clock?: Clock;
  /** Share of connections that faults hit, 0 to 1, drawn once per connection. Default 1. */
  readonly toxicity?: number;
}

/**
 * A server on loopback that passes bytes on to another, and can be made to do it badly.
 *
 * @see faultProxy
 */
export interface FaultProxy {
  readonly port: number;
  /** Connections open now, and how many there have ever been. */
  readonly open: number;
  readonly accepted: number;
  /** Bytes passed on so far, by direction. */
  readonly passed: Readonly<Record<Direction, number>>;
  /** New connections are closed with a reset at once; open ones stay. */
  refuse(): void;
  /** Ends every open connection by a reset, as a crash does. */
  rst(): void;
  /** Ends every open connection in order, as a shutdown does. */
  fin(): void;
  /** Connections stay, their bytes vanish. Without a direction, both ways. */
  blackhole(direction?: Direction): void;
  /** Each chunk is held back for `ms`, give or take up to `jitterMs`; order is kept. */
  latency(ms: number, jitterMs?: number, direction?: Direction): void;
  /** At most so many bytes per second; who sends more is made to wait. */
  rate(bytesPerSecond: number, direction?: Direction): void;
  /** Chunks of at most so many bytes. */
  slice(bytes: number, direction?: Direction): void;
  /** Lets so many further bytes through, then resets the connection that carried the last of them. Once. */
  limit(bytes: number, direction?: Direction): void;
  /** Takes all faults off, for open connections too. Bytes that vanished stay gone. */
  heal(): void;
  /** Ends everything. */
  close(): Promise<void>;
}

interface Faults {
  blackhole: boolean;
  latencyMs: number;
  jitterMs: number;
  bytesPerSecond: number;
  sliceBytes: number;
  limitBytes: number;
}

const NONE: Faults = {
  blackhole: false,
  latencyMs: 0,
  jitterMs: 0,
  bytesPerSecond: Infinity,
  sliceBytes: Infinity,
  limitBytes: Infinity,
};

/** Where a rate is kept, so much waits in the proxy; the rest waits with who sends it. */
const MOST_HELD_BYTES = 64 * 1024;

/** Both ends of one connection through the proxy. */
interface Link {
  readonly client: Socket;
  readonly server: Socket;
  readonly toxic: boolean;
}

/**
 * Starts a TCP proxy in front of a server on loopback and listens on loopback only. Faults hold for open and new
 * connections until `heal`.
 *
 * @example
 * import { faultProxy } from 'sluice/testing-node';
 * const proxy = await faultProxy({ port: 5672 });
 * proxy.blackhole(); // half-open: both sides think the other is there
 * proxy.heal();
 * await proxy.close();
 * @throws SluiceError `CONFIG_INVALID` for an option out of range
 * @see conformance, which uses it as its `net`
 */
export async function faultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  checkOptions<FaultProxyOptions>('faultProxy', options, {
    port: required(integer(1, 65_535)),
    listenPort: integer(0, 65_535),
    clock: having('random'),
    toxicity: numeric(0, 1),
  });
  const { clock = systemClock, toxicity = 1 } = options;
  const faults: Record<Direction, Faults> = { up: { ...NONE }, down: { ...NONE } };
  const passed: Record<Direction, number> = { up: 0, down: 0 };
  const links = new Set<Link>();
  let refusing = false;
  let accepted = 0;

  const listener = createServer({ allowHalfOpen: true }, (client) => {
    if (refusing) {
      client.on('error', () => undefined);
      client.resetAndDestroy();
      return;
    }
    accepted += 1;
    const server = connect({ host: '127.0.0.1', port: options.port, allowHalfOpen: true });
    const link: Link = { client, server, toxic: clock.random() < toxicity };
    links.add(link);
    carry(link, 'up', client, server);
    carry(link, 'down', server, client);
  });

  function reset(link: Link): void {
    links.delete(link);
    link.client.resetAndDestroy();
    link.server.resetAndDestroy();
  }

  function carry(link: Link, direction: Direction, from: Socket, to: Socket): void {
    const of = (): Faults => (link.toxic ? faults[direction] : NONE);
    /** When the chunk before this one is out: later ones never overtake it. */
    let freeAtMs = 0;
    /** Chunks held back, the oldest first. There is a timer for each, and each timer lets the oldest one go. */
    const held: Uint8Array[] = [];
    let heldBytes = 0;
    let ended = false;
    const endIfDone = (): void => {
      if (ended && held.length === 0) to.end();
    };
    // Who sends has to notice a slow network: held back without end, a slow network would look like a fast one.
    const pace = (): void => {
      const isBehind = of().bytesPerSecond < Infinity && heldBytes >= MOST_HELD_BYTES;
      if (isBehind || to.writableNeedDrain) from.pause();
      else from.resume();
    };
    const pass = (chunk: Uint8Array): void => {
      if (!links.has(link) || to.destroyed || of().blackhole) return;
      const bytes = chunk.subarray(0, of().limitBytes);
      passed[direction] += bytes.length;
      to.write(bytes);
      if (!link.toxic) return;
      faults[direction].limitBytes -= bytes.length;
      if (faults[direction].limitBytes > 0) return;
      faults[direction].limitBytes = Infinity;
      reset(link);
    };
    from.setNoDelay(true);
    from.on('data', (chunk: Uint8Array) => {
      const { latencyMs, jitterMs, bytesPerSecond, sliceBytes } = of();
      for (let at = 0; at < chunk.length; at += Math.min(sliceBytes, chunk.length)) {
        const bytes = chunk.subarray(at, Math.min(chunk.length, at + sliceBytes));
        const nowMs = clock.elapsed();
        const heldMs = Math.max(0, latencyMs + jitterMs * (2 * clock.random() - 1));
        const sendingMs = (bytes.length * 1000) / bytesPerSecond;
        freeAtMs = Math.max(freeAtMs + sendingMs, nowMs + heldMs + sendingMs);
        if (freeAtMs <= nowMs && held.length === 0) pass(bytes);
        else {
          held.push(bytes);
          heldBytes += bytes.length;
          // Timers due in the same millisecond run in any order: hosts round each to a millisecond of its own.
          clock.timer(freeAtMs - nowMs, () => {
            const oldest = held.shift() as Uint8Array;
            heldBytes -= oldest.length;
            pass(oldest);
            pace();
            endIfDone();
          });
        }
      }
      pace();
    });
    to.on('drain', pace);
    from.on('end', () => {
      ended = true;
      if (!of().blackhole) endIfDone();
    });
    from.on('error', () => reset(link));
    from.on('close', () => {
      if (from.destroyed && to.destroyed) links.delete(link);
    });
  }

  function set(direction: Direction | undefined, change: Partial<Faults>): void {
    if (direction !== 'down') Object.assign(faults.up, change);
    if (direction !== 'up') Object.assign(faults.down, change);
  }

  await listen(listener, options.listenPort ?? 0);
  const address = listener.address() as { readonly port: number };
  return {
    port: address.port,
    get open() {
      return links.size;
    },
    get accepted() {
      return accepted;
    },
    passed,
    refuse: () => void (refusing = true),
    rst: () => [...links].filter((link) => link.toxic).forEach(reset),
    fin() {
      for (const link of links) {
        if (!link.toxic) continue;
        link.client.end();
        link.server.end();
      }
    },
    blackhole: (direction) => set(direction, { blackhole: true }),
    latency: (ms, jitterMs = 0, direction) => set(direction, { latencyMs: ms, jitterMs }),
    rate: (bytesPerSecond, direction) => set(direction, { bytesPerSecond }),
    slice: (bytes, direction) => set(direction, { sliceBytes: bytes }),
    limit: (bytes, direction) => set(direction, { limitBytes: bytes }),
    heal() {
      refusing = false;
      set(undefined, NONE);
    },
    close() {
      for (const link of [...links]) reset(link);
      return new Promise((resolve) => listener.close(() => resolve()));
    },
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
