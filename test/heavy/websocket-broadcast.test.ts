import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { observe } from 'sluice';
import { webSocketServer } from 'sluice/websocket-server';
import { bareClient, give } from '../helpers/websocket.js';
import { until } from '../helpers/until.js';

const CLIENTS = 1_000;
const MESSAGES = 600;
const FRAME_BYTES = 10_000;
/** What one client may hold of this process: 1 MiB. */
const B = 1_048_576;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/**
 * Memory of buffers that somebody still holds: what was sent and read is garbage, whoever collects it when. A collection
 * leaves dead buffers to be freed beside the program; only the next one waits for that.
 */
function heldBytes(): number {
  collectGarbage();
  collectGarbage();
  return process.memoryUsage().external;
}

describe('one stopped client of 1,000 (G13, M-10)', () => {
  // That exactly B is held for it is proven byte by byte in the test of Lane; here the sum shows that nothing else is.
  it('costs the others nothing', async () => {
    await using server = await webSocketServer({
      port: 0,
      maxConnectionsPerAddress: CLIENTS,
      heartbeatMs: 60_000,
      closeTimeoutMs: 1_000,
    });
    const url = `ws://127.0.0.1:${server.address.port}`;
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => bareClient(url)));
    // Each frame is the same, so the text of one is kept once; only counts grow.
    const counts = new Array<number>(CLIENTS).fill(0);
    for (const [at, client] of clients.entries()) {
      client.socket.removeAllListeners('message');
      client.socket.on('message', () => (counts[at] = (counts[at] ?? 0) + 1));
    }
    const [stopped] = clients;
    stopped?.socket.pause();
    let dropped = 0;
    const stop = observe((event) => {
      if (event.type === 'peer.slow') dropped = Math.max(dropped, event.dropped);
    });
    const sink = server.broadcast({ overflow: 'drop-oldest' });
    const { outcomes, source } = give(sink);
    const frame = 'x'.repeat(FRAME_BYTES);
    const before = heldBytes();
    // A steady feed: the next frames come when the ones before have arrived at those who read.
    for (let sent = 0; sent < MESSAGES; sent += 20) {
      for (let at = 0; at < 20; at += 1) source.offer(frame);
      await until(() => expect(Math.min(...counts.slice(1))).toBe(sent + 20), 60_000);
    }
    const grownBytes = heldBytes() - before;
    stop();
    expect(counts.slice(1).every((count) => count === MESSAGES)).toBe(true);
    expect(outcomes).toEqual(Array.from({ length: MESSAGES }, () => 'ack'));
    expect(dropped).toBeGreaterThan(0);
    console.log(
      `stopped client: dropped at least ${dropped} of ${MESSAGES}, external memory grew by ${grownBytes} bytes`,
    );
    expect(grownBytes).toBeLessThan(2 * B);
    // It gets the latest of what it missed, at most B of it and what the kernel held.
    stopped?.socket.resume();
    await until(() => expect(counts[0]).toBeGreaterThan(0));
    for (const { socket } of clients) socket.terminate();
  });
});
