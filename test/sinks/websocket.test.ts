import { describe, expect, it, vi } from 'vitest';
import { backoff } from 'sluice';
import { virtualClock, type VirtualClock } from 'sluice/testing';
import { webSocketLink, webSocketSink, type PlatformWebSocket } from 'sluice/websocket';
import { until } from '../helpers/until.js';
import { bareServer, give } from '../helpers/websocket.js';

describe('webSocketSink', () => {
  it('sends each message as one frame and acks it (S2.40)', async () => {
    const kinds: boolean[] = [];
    await using server = await bareServer((socket) => socket.on('message', (_, isBinary) => kinds.push(isBinary)));
    const sink = webSocketSink(webSocketLink({ url: server.url, client: 'ws' }));
    const { outcomes } = give(sink, 'a', new Uint8Array([98]), '');
    await until(() => expect(server.received).toEqual(['a', 'b', '']));
    expect([kinds, outcomes]).toEqual([
      [false, true, false],
      ['ack', 'ack', 'ack'],
    ]);
    sink.complete();
    await sink.closed;
    await until(() => expect(server.server.clients.size).toBe(0));
  });

  it('refuses here what is too big or no frame and keeps the connection (SNK-08, F11)', async () => {
    await using server = await bareServer();
    const sink = webSocketSink(webSocketLink({ url: server.url, client: 'ws', maxBytes: 10 }));
    const { outcomes } = give(sink, 'x'.repeat(11), { not: 'a frame' } as never, 'x'.repeat(10));
    await until(() => expect(server.received).toEqual(['x'.repeat(10)]));
    expect([outcomes, server.sockets.length]).toEqual([['dead PAYLOAD_TOO_LARGE', 'dead ENCODE_FAILED', 'ack'], 1]);
    sink.complete();
  });

  it('waits for a peer that stopped reading, keeps order and loses nothing (SNK-03, SNK-04, M-10, F7)', async () => {
    await using server = await bareServer((socket) => socket.pause());
    const sink = webSocketSink(webSocketLink({ url: server.url, client: 'ws', heartbeatMs: 60_000 }));
    const frames = Array.from({ length: 3_000 }, (_, at) => `${at}`.padEnd(10_000));
    const { outcomes } = give(sink, ...frames);
    // Confirmations stop once the kernel's buffers are full; nothing like the 30 MB may be held by the socket.
    let before = -1;
    await vi.waitFor(
      () => {
        const stands = outcomes.length === before && before > 0;
        before = outcomes.length;
        expect(stands).toBe(true);
      },
      { interval: 100, timeout: 45_000 },
    );
    expect(outcomes.length).toBeLessThan(2_000);
    server.sockets[0]?.resume();
    await until(() => expect(server.received).toHaveLength(3_000));
    expect(server.received).toEqual(frames);
    await until(() => expect(outcomes).toHaveLength(3_000));
    expect(new Set(outcomes)).toEqual(new Set(['ack']));
    sink.complete();
  });

  it('sends again what had not left when the connection broke', async () => {
    await using server = await bareServer((socket, at) => at === 1 && socket.pause());
    const reconnect = backoff({ initialMs: 5, maxMs: 20, minMs: 1 });
    const sink = webSocketSink(webSocketLink({ url: server.url, client: 'ws', reconnect, heartbeatMs: 60_000 }));
    const frames = Array.from({ length: 2_000 }, (_, at) => `${at}`.padEnd(10_000));
    const { outcomes } = give(sink, ...frames);
    await until(() => expect(outcomes.length).toBeGreaterThan(0));
    server.sockets[0]?.terminate();
    await until(() => expect(outcomes).toHaveLength(2_000));
    await until(() => expect(server.received.at(-1)).toBe(frames.at(-1)));
    const numbers = server.received.map(Number);
    // What the kernel had is gone with it, and acked: at most once. Nothing comes twice, and nothing overtakes.
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    const again = numbers.findIndex((n, at) => n !== at);
    expect(numbers.slice(again)).toEqual(
      Array.from({ length: numbers.length - again }, (_, at) => 2_000 - numbers.length + again + at),
    );
    sink.complete();
  });

  /** Sockets of a browser whose network takes nothing, and which therefore never tell that they are closed. */
  function stuckSockets(clock: VirtualClock) {
    const sent: string[][] = [];
    class Stuck {
      readonly protocol = '';
      bufferedAmount = 0;
      readyState = 0;
      binaryType = '';
      onopen: (() => void) | null = null;
      onmessage = null;
      onerror = null;
      onclose = null;
      private readonly own: string[] = [];
      constructor() {
        sent.push(this.own);
        clock.timer(1, () => {
          this.readyState = 1;
          this.onopen?.();
        });
      }
      send(data: string): void {
        this.own.push(data);
        this.bufferedAmount += data.length;
      }
      close(): void {
        this.readyState = 2;
      }
    }
    return { sent, client: Stuck as unknown as PlatformWebSocket };
  }

  it('takes a slow peer for slow, however long that lasts: nothing goes out twice, nor is acked before it has left (S2.40)', async () => {
    const clock = virtualClock();
    const { sent, client } = stuckSockets(clock);
    const sink = webSocketSink(webSocketLink({ url: 'ws://feed.example', client, clock }), { clock });
    const { outcomes } = give(sink, 'a', 'b');
    await clock.run(60_000);
    expect([sent, outcomes]).toEqual([[['a', 'b']], []]);
  });

  it('gives the connection up where it is told how long that may last, and sends again over the next one', async () => {
    const clock = virtualClock();
    const { sent, client } = stuckSockets(clock);
    const link = webSocketLink({ url: 'ws://feed.example', client, clock });
    const sink = webSocketSink(link, { clock, confirmTimeoutMs: 1_000, closeTimeoutMs: 10_000 });
    const { outcomes } = give(sink, 'a', 'b');
    await clock.run(9_000);
    // The last one may be so new that nothing has gone out over it.
    const used = sent.map((texts) => texts.join()).filter(Boolean);
    expect(used.length).toBeGreaterThan(1);
    expect(new Set(used)).toEqual(new Set(['a,b']));
    sink.complete();
    await clock.run(10_000);
    expect(outcomes).toEqual(['requeue CONFIRM_TIMEOUT', 'requeue CONFIRM_TIMEOUT']);
    await sink.closed;
  });

  it('refuses options out of range', () => {
    const link = webSocketLink({ url: 'ws://localhost', client: 'ws' });
    expect(() => webSocketSink(link, { maxUnconfirmed: 0 })).toThrow(`'maxUnconfirmed'`);
    expect(() => webSocketSink(link, { timeout: 1 } as never)).toThrow(`unknown option 'timeout'`);
  });
});
