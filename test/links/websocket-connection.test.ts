import { describe, expect, it } from 'vitest';
import { observe, SluiceError, type SluiceEvent } from 'sluice';
import { virtualClock, type VirtualClock } from 'sluice/testing';
import { WebSocketConnection, type FrameReceiver } from '../../src/links/websocket-connection.js';
import { fakeWire, type FakeWire } from '../helpers/websocket.js';

interface Setup {
  readonly wire: FakeWire;
  readonly clock: VirtualClock;
  readonly connection: WebSocketConnection;
  readonly closes: unknown[];
}

function setup(canPause = true): Setup {
  const wire = fakeWire(canPause);
  const clock = virtualClock();
  const closes: unknown[] = [];
  const connection = new WebSocketConnection(wire, {
    clock,
    topic: '/feed',
    maxBufferedBytes: 100,
    keepAliveMs: 500,
    closed: (...values) => closes.push(values),
  });
  return { wire, clock, connection, closes };
}

const taking = (into: unknown[], match?: FrameReceiver['match']): FrameReceiver => ({
  match,
  take: (data) => into.push(data),
});

describe('WebSocketConnection reading', () => {
  it('gives each frame to all who want it and counts those that nobody wants', () => {
    const { wire, connection } = setup();
    const all: unknown[] = [];
    const quotes: unknown[] = [];
    const quote = taking(quotes, ({ json }) => (json as { ch?: string } | undefined)?.ch === 'quotes');
    connection.attach(quote);
    wire.events.data('{"ch":"trades"}', 15);
    connection.attach(taking(all));
    wire.events.data('{"ch":"quotes"}', 15);
    wire.events.data('not json', 8);
    wire.events.data(new Uint8Array([1]), 1);
    expect(quotes).toEqual(['{"ch":"quotes"}']);
    expect(all).toHaveLength(3);
    expect(connection.unclaimed).toBe(1);
  });

  it('parses a frame once for all who look at it', () => {
    const { wire, connection } = setup();
    const seen: unknown[] = [];
    const look = ({ json }: { readonly json: unknown }): boolean => seen.push(json) > 0;
    connection.attach(taking([], look));
    connection.attach(taking([], look));
    wire.events.data('{"a":1}', 7);
    expect(seen[0]).toBe(seen[1]);
  });

  it('gives a frame to nobody who came because of it: who fails on it and comes again would get it for ever', () => {
    const { wire, connection } = setup();
    const failures: unknown[] = [];
    const comingAgain = (): FrameReceiver => {
      const receiver: FrameReceiver = {
        match: () => true,
        take(data) {
          failures.push(data);
          if (failures.length > 10) return;
          connection.detach(receiver);
          connection.attach(comingAgain());
        },
      };
      return receiver;
    };
    const other: unknown[] = [];
    connection.attach(comingAgain());
    connection.attach(taking(other));
    wire.events.data('a', 1);
    wire.events.data('b', 1);
    expect([failures, other]).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ]);
  });

  it('survives a receiver that throws: the client would never read again', () => {
    const { wire, connection } = setup();
    const seen: unknown[] = [];
    const events: SluiceEvent[] = [];
    const stop = observe((event) => events.push(event));
    connection.attach({
      take: () => {
        throw new Error('no');
      },
    });
    connection.attach(taking(seen));
    wire.events.data('a', 1);
    stop();
    expect(seen).toEqual(['a']);
    expect(events).toMatchObject([{ type: 'stage.failed', stage: 'websocket' }]);
  });

  it('pauses while one cannot take more, and says with pongs that it lives (M-9)', () => {
    const { wire, clock, connection } = setup();
    const a = taking([]);
    const b = taking([]);
    connection.hold(a);
    connection.hold(a);
    connection.hold(b);
    clock.advance(1_600);
    expect(wire.calls).toEqual(['pause', 'pong', 'pong', 'pong']);
    connection.release(a);
    expect(connection.isHeld).toBe(true);
    connection.detach(b);
    clock.advance(5_000);
    expect(wire.calls.slice(4)).toEqual(['resume']);
  });

  it('does not pause what cannot be paused', () => {
    const { wire, connection } = setup(false);
    connection.hold(taking([]));
    expect([wire.calls, connection.isHeld]).toEqual([[], false]);
  });
});

describe('WebSocketConnection writing', () => {
  it('asks to wait at the bound and tells once half of it is written (M-10)', () => {
    const { wire, connection } = setup();
    const told: string[] = [];
    connection.onWritable(() => told.push('go on'));
    const sent = Array.from({ length: 5 }, () => connection.send('x'.repeat(25)));
    expect(sent).toEqual([true, true, true, false, false]);
    wire.flush(2);
    expect([wire.bufferedBytes, told]).toEqual([75, []]);
    wire.flush(1);
    expect(told).toEqual(['go on']);
    wire.flush();
    expect(told).toEqual(['go on']);
  });

  it('refuses to write what would never leave', () => {
    const { wire, connection } = setup();
    const errors: unknown[] = [];
    wire.events.closed(1006, '');
    expect(connection.send('late', (error) => errors.push(error))).toBe(false);
    connection.sendFrame(new Uint8Array(1), (error) => errors.push(error));
    expect(errors).toMatchObject([{ code: 'CONNECTION_LOST', retriable: true }, { code: 'CONNECTION_LOST' }]);
    expect(wire.sent).toEqual([]);
  });

  it('takes a write that the network let through late for a sign of life, and a quick one not', () => {
    const { wire, clock, connection } = setup();
    // At once, and not behind anything.
    connection.send('first');
    wire.flush();
    connection.hasHeard = false;
    connection.nudge();
    connection.send('second');
    clock.advance(60);
    wire.flush();
    expect(connection.hasHeard).toBe(false);
    // Before the ping, at once after it.
    connection.send('third');
    connection.nudge();
    connection.send('fourth');
    wire.flush(1);
    expect(connection.hasHeard).toBe(false);
    // After the ping.
    clock.advance(60);
    wire.flush();
    expect(connection.hasHeard).toBe(false);
    connection.send('fifth');
    connection.nudge();
    clock.advance(60);
    wire.flush();
    expect(connection.hasHeard).toBe(true);
  });

  it('has its ping answered by what the network let through before it', async () => {
    const { wire, clock, connection } = setup();
    connection.send('large');
    let isAnswered = false;
    const answer = connection.ping().then(() => (isAnswered = true));
    await Promise.resolve();
    expect(isAnswered).toBe(false);
    clock.advance(60);
    wire.flush();
    await answer;
    expect(isAnswered).toBe(true);
  });
});

describe('WebSocketConnection life', () => {
  it('has its ping answered by whatever comes in', async () => {
    const { wire, connection } = setup();
    const first = connection.ping();
    wire.events.pong();
    await first;
    const second = connection.ping();
    wire.events.data('x', 1);
    await second;
    expect(wire.calls).toEqual(['ping', 'ping']);
  });

  it('asks with a frame where there are no pings, and does not ask while it does not read', async () => {
    const browser = setup(false);
    await browser.connection.ping();
    const asked = browser.connection.ping('ping');
    expect([browser.wire.calls, browser.wire.sent]).toEqual([[], ['ping']]);
    browser.wire.events.data('pong', 4);
    await asked;
    const held = setup();
    held.connection.hold(taking([]));
    await held.connection.ping();
    expect(held.wire.calls).toEqual(['pause']);
  });

  it('closes in order, reading on to find the close of the peer and keeping none of it', async () => {
    const { wire, connection, closes } = setup();
    const seen: unknown[] = [];
    const receiver = taking(seen);
    connection.attach(receiver);
    connection.hold(receiver);
    const closed = connection.close(1001, 'bye', 1_000);
    void connection.close(1001, 'again', 1_000);
    wire.events.data('late', 4);
    expect(wire.calls).toEqual(['pause', 'resume', 'close 1001 bye']);
    wire.events.closed(1001, 'bye');
    await closed;
    expect([seen, closes, connection.isOpen]).toEqual([[], [[1001, 'bye', undefined]], false]);
  });

  it('cuts a peer that does not close in time', async () => {
    const { wire, clock, connection } = setup();
    const closed = connection.close(1000, '', 1_000);
    clock.advance(1_000);
    await closed;
    expect(wire.calls.at(-1)).toBe('terminate');
  });

  it('tells the first cause of its end, and its receivers once', () => {
    const { wire, connection, closes } = setup();
    let ended = 0;
    connection.attach({ take: () => undefined, ended: () => (ended += 1) });
    const cause = new SluiceError('PEER_LOST', 'silent');
    wire.events.failed(cause);
    connection.fail(new SluiceError('OVERFLOW', 'too late'));
    wire.events.closed(1006, '');
    expect(closes).toEqual([[1006, '', cause]]);
    connection.attach({ take: () => undefined, ended: () => (ended += 10) });
    expect(ended).toBe(11);
  });
});
