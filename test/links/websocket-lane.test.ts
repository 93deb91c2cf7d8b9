import { describe, expect, it } from 'vitest';
import { observe, type SluiceEvent } from 'sluice';
import { virtualClock } from 'sluice/testing';
import { WebSocketConnection } from '../../src/links/websocket-connection.js';
import { Lane, type LaneBounds } from '../../src/links/websocket-lane.js';
import { fakeWire, type FakeWire } from '../helpers/websocket.js';

function setup(bounds: Partial<LaneBounds> & Pick<LaneBounds, 'policy'>): {
  wire: FakeWire;
  connection: WebSocketConnection;
  lane: Lane;
} {
  const wire = fakeWire();
  const connection = new WebSocketConnection(wire, {
    clock: virtualClock(),
    topic: '/',
    maxBufferedBytes: 1_000,
    keepAliveMs: 500,
    closed: () => undefined,
  });
  return {
    wire,
    connection,
    lane: new Lane(connection, { id: 'c1' }, { maxQueued: 100, maxBufferedBytes: 100, ...bounds }),
  };
}

const frame = (text: string): Uint8Array => Buffer.from(text.padEnd(10, '.'));
const texts = (wire: FakeWire): string[] =>
  wire.sent.map((data) =>
    Buffer.from(data as Uint8Array)
      .toString()
      .replaceAll('.', ''),
  );
const put = (lane: Lane, from: number, to: number): void => {
  for (let at = from; at < to; at += 1) lane.put(frame(`${at}`), `${at % 3}`);
};

describe('Lane', () => {
  it('sends at once while the socket keeps up', () => {
    const { wire, lane } = setup({ policy: 'drop-oldest' });
    put(lane, 0, 3);
    expect([texts(wire), lane.isBehind]).toEqual([['0', '1', '2'], false]);
  });

  it('holds at most its bytes for one that stopped, and drops the oldest (G13)', () => {
    const { wire, lane } = setup({ policy: 'drop-oldest' });
    put(lane, 0, 1_000);
    expect(wire.bufferedBytes).toBe(50);
    wire.flush(5);
    expect(wire.bufferedBytes).toBe(50);
    wire.flush();
    expect(texts(wire)).toEqual(['0', '1', '2', '3', '4', '995', '996', '997', '998', '999']);
  });

  it('sends what it queued once what others wrote is through, each lane in its turn', () => {
    const { wire, connection, lane } = setup({ policy: 'drop-oldest' });
    const other = new Lane(connection, { id: 'c1' }, { policy: 'drop-oldest', maxQueued: 100, maxBufferedBytes: 100 });
    for (let at = 0; at < 5; at += 1) connection.send(frame('x'));
    for (let at = 0; at < 4; at += 1) {
      lane.put(frame(`a${at}`), undefined);
      other.put(frame(`b${at}`), undefined);
    }
    expect(texts(wire)).toEqual(['x', 'x', 'x', 'x', 'x']);
    for (let at = 0; at < 13; at += 1) wire.flush(1);
    expect(texts(wire).slice(5)).toEqual(['a0', 'b0', 'a1', 'b1', 'a2', 'b2', 'a3', 'b3']);
    expect(wire.bufferedBytes).toBe(0);
  });

  it('holds at most its number of messages', () => {
    const { wire, lane } = setup({ policy: 'drop-oldest', maxQueued: 2 });
    put(lane, 0, 20);
    wire.flush();
    expect(texts(wire)).toEqual(['0', '1', '2', '3', '4', '18', '19']);
  });

  it('keeps the latest of each key in its place when it conflates, and drops none', () => {
    const { wire, lane } = setup({ policy: 'conflate' });
    const events: SluiceEvent[] = [];
    const stop = observe((event) => events.push(event));
    put(lane, 0, 1_000);
    stop();
    wire.flush();
    expect(texts(wire)).toEqual(['0', '1', '2', '3', '4', '998', '999', '997']);
    expect(events).toEqual([]);
  });

  it('closes one that is too slow with 1013 and keeps nothing for it', () => {
    const { wire, lane } = setup({ policy: 'close' });
    const events: SluiceEvent[] = [];
    const stop = observe((event) => events.push(event));
    put(lane, 0, 1_000);
    stop();
    expect(wire.calls).toEqual(['close 1013 too slow']);
    wire.flush();
    expect(texts(wire)).toHaveLength(5);
    expect(events).toMatchObject([{ type: 'peer.slow', peer: 'c1', policy: 'close', dropped: 6 }]);
  });

  it('reports each doubling of what was dropped, not each drop', () => {
    const { lane } = setup({ policy: 'drop-oldest' });
    const events: SluiceEvent[] = [];
    const stop = observe((event) => events.push(event));
    put(lane, 0, 30);
    stop();
    expect(events.map((event) => event.type === 'peer.slow' && event.dropped)).toEqual([1, 2, 4, 8, 16]);
  });

  it('tells when a message left, or never will', () => {
    const { wire, lane } = setup({ policy: 'drop-oldest' });
    let left = 0;
    lane.put(frame('a'), undefined, () => (left += 1));
    expect(left).toBe(0);
    wire.flush();
    expect(left).toBe(1);
    wire.events.closed(1006, '');
    lane.put(frame('b'), undefined, () => (left += 1));
    expect(left).toBe(2);
  });
});
