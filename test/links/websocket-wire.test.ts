import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { virtualClock } from 'sluice/testing';
import { ownAccessors } from '../helpers/own-accessors.js';
import { PlatformWire, WsWire, type Wire, type WsSocket } from '../../src/links/websocket-wire.js';

const listening = (into: unknown[]): Parameters<Wire['listen']>[0] => ({
  data: (data, bytes) => into.push(['data', data, bytes]),
  pong: () => into.push(['pong']),
  heard: () => into.push(['heard']),
  closed: (code, reason) => into.push(['closed', code, reason]),
  failed: (error) => into.push(['failed', error]),
});

describe('WsWire', () => {
  function setup(): {
    socket: EventEmitter & { readyState: number };
    calls: string[];
    raw: EventEmitter;
    written: (() => void)[];
    wire: WsWire;
    clock: ReturnType<typeof virtualClock>;
  } {
    const calls: string[] = [];
    const written: (() => void)[] = [];
    const note = (name: string) => (): void => void calls.push(name);
    const socket = Object.assign(new EventEmitter(), {
      protocol: 'v1',
      bufferedAmount: 7,
      readyState: 1,
      send: note('send'),
      pause: note('pause'),
      resume: note('resume'),
      ping: note('ping'),
      pong: (data?: Uint8Array, _?: boolean, done?: () => void) => {
        calls.push(data === undefined ? 'pong' : `pong ${data.join()}`);
        if (done !== undefined) written.push(done);
      },
      close: note('close'),
      terminate: note('terminate'),
    });
    const raw = Object.assign(new EventEmitter(), { cork: note('cork'), uncork: note('uncork'), write: note('write') });
    const clock = virtualClock();
    const wire = new WsWire(socket as unknown as WsSocket, raw, { ...clock, defer: (work) => clock.timer(1, work) });
    return { socket, raw, calls, written, wire, clock };
  }

  it('has the shape of every other wire', () => expect(ownAccessors(setup().wire)).toEqual([]));

  it('answers one ping at a time, and of those that come meanwhile the last: more would wait for a peer that reads none', () => {
    const { socket, calls, written, wire } = setup();
    wire.listen(listening([]));
    for (const at of [1, 2, 3, 4]) socket.emit('ping', Buffer.from([at]));
    expect(calls).toEqual(['pong 1']);
    written.shift()?.();
    expect(calls).toEqual(['pong 1', 'pong 4']);
    written.shift()?.();
    socket.emit('ping', Buffer.from([5]));
    socket.emit('ping', Buffer.from([6]));
    socket.readyState = 3;
    written.shift()?.();
    expect(calls).toEqual(['pong 1', 'pong 4', 'pong 5']);
  });

  it('reads text as text and bytes as bytes', () => {
    const { socket, raw, wire } = setup();
    const seen: unknown[] = [];
    wire.listen(listening(seen));
    socket.emit('message', Buffer.from('häß'), false);
    socket.emit('message', Buffer.from([1, 2]), true);
    // A part of something.
    raw.emit('data', Buffer.alloc(1));
    socket.emit('pong', Buffer.alloc(0));
    socket.emit('close', 1001, Buffer.from('bye'));
    expect(seen).toEqual([
      ['data', 'häß', 5],
      ['data', new Uint8Array([1, 2]), 2],
      ['heard'],
      ['pong'],
      ['closed', 1001, 'bye'],
    ]);
    expect((seen[1] as [string, Uint8Array])[1]).not.toBeInstanceOf(Buffer);
  });

  it('does not keep the chunk that a small frame came in', () => {
    const { socket, wire } = setup();
    const seen: [string, Uint8Array][] = [];
    wire.listen(listening(seen));
    const chunk = Buffer.alloc(65_536, 3);
    socket.emit('message', chunk.subarray(10, 14), true);
    socket.emit('message', chunk.subarray(0, 40_000), true);
    expect(seen[0]?.[1]).toEqual(new Uint8Array([3, 3, 3, 3]));
    expect(seen[0]?.[1].buffer.byteLength).toBe(4);
    expect(seen[1]?.[1].buffer).toBe(chunk.buffer);
  });

  it('lets all writes of one turn leave together', () => {
    const { calls, wire, clock } = setup();
    wire.send('a', () => undefined);
    wire.sendFrame(new Uint8Array(1), () => undefined);
    clock.advance(1);
    wire.send('b', () => undefined);
    expect(calls).toEqual(['cork', 'send', 'write', 'uncork', 'cork', 'send']);
  });

  it('writes no frame past a close and sends no ping to who is gone', () => {
    const { socket, calls, wire } = setup();
    socket.readyState = 2;
    const errors: unknown[] = [];
    wire.sendFrame(new Uint8Array(1), (error) => errors.push(error));
    wire.ping();
    wire.pong();
    expect([calls, errors]).toEqual([[], [new Error('closed')]]);
  });
});

describe('PlatformWire', () => {
  function setup() {
    const calls: unknown[] = [];
    const socket = {
      protocol: '',
      bufferedAmount: 0,
      readyState: 1,
      binaryType: 'blob',
      onopen: null,
      onmessage: null as unknown as (event: { data: unknown }) => void,
      onerror: null,
      onclose: null as unknown as (event: { code: number; reason: string }) => void,
      send: (data: string) => {
        socket.bufferedAmount += Buffer.byteLength(data);
      },
      close: (...values: unknown[]) => void calls.push(values),
    };
    const clock = virtualClock();
    return { calls, socket, clock, wire: new PlatformWire(socket, clock, 8) };
  }

  it('has the shape of every other wire', () => expect(ownAccessors(setup().wire)).toEqual([]));

  it('reads text and bytes, never blobs', () => {
    const { socket, wire } = setup();
    const seen: unknown[] = [];
    wire.listen(listening(seen));
    socket.onmessage({ data: 'a' });
    socket.onmessage({ data: new Uint8Array([1]).buffer });
    socket.onclose({ code: 1000, reason: '' });
    expect(socket.binaryType).toBe('arraybuffer');
    expect(seen).toEqual([
      ['data', 'a', 1],
      ['data', new Uint8Array([1]), 1],
      ['closed', 1000, ''],
    ]);
  });

  it('ends over a message that is too large, which no browser does by itself (S03)', () => {
    const { calls, socket, wire } = setup();
    const seen: unknown[] = [];
    wire.listen(listening(seen));
    socket.onmessage({ data: 'ääää' });
    socket.onmessage({ data: new Uint8Array(8).buffer });
    socket.onmessage({ data: 'ääääa' });
    socket.onmessage({ data: 'after' });
    expect(seen).toEqual([
      ['data', 'ääää', 4],
      ['data', new Uint8Array(8), 8],
      ['failed', expect.objectContaining({ code: 'PAYLOAD_TOO_LARGE', retriable: false })],
    ]);
    expect(calls).toEqual([[]]);
  });

  it('finds out by looking what the browser has written, in order', () => {
    const { socket, wire, clock } = setup();
    const done: string[] = [];
    for (const text of ['aaaa', 'ä', 'cc']) wire.send(text, () => done.push(text));
    clock.advance(25);
    expect([done, socket.bufferedAmount]).toEqual([[], 8]);
    socket.bufferedAmount = 2;
    clock.advance(5);
    expect(done).toEqual(['aaaa', 'ä']);
    socket.bufferedAmount = 0;
    clock.advance(10);
    expect([done, clock.pendingTimers]).toEqual([['aaaa', 'ä', 'cc'], 0]);
  });

  it('looks less and less often while nothing is written, and no more once the socket is gone', () => {
    const { socket, wire, clock } = setup();
    const looks: number[] = [];
    let amount = 0;
    Object.defineProperty(socket, 'bufferedAmount', {
      get: () => (looks.push(clock.elapsed()), amount),
      set: (bytes: number) => (amount = bytes),
    });
    wire.listen(listening([]));
    wire.send('aaaaaaaa', () => undefined);
    looks.length = 0;
    clock.advance(10_000);
    expect(looks.slice(0, 8).map((ms) => Math.round(ms))).toEqual([0, 10, 30, 70, 150, 310, 560, 810]);
    expect(looks).toHaveLength(44);
    // As soon as something is written, it is looked at closely again.
    amount = 4;
    clock.advance(60);
    looks.length = 0;
    clock.advance(30);
    expect(looks).toHaveLength(2);
    expect(clock.pendingTimers).toBe(1);
    socket.onclose({ code: 1006, reason: '' });
    expect(clock.pendingTimers).toBe(0);
  });

  it('tells that what was not written will not be', () => {
    const { socket, wire } = setup();
    const done: unknown[] = [];
    wire.listen(listening([]));
    wire.send('a', (error) => done.push(error));
    socket.readyState = 3;
    socket.onclose({ code: 1006, reason: '' });
    wire.send('b', (error) => done.push(error));
    expect(done).toEqual([new Error('closed'), new Error('closed')]);
  });

  it('is gone for this side as soon as it is cut, whenever the browser says so', () => {
    const { calls, socket, wire } = setup();
    const seen: unknown[] = [];
    wire.listen(listening(seen));
    wire.send('a', (error) => seen.push(error));
    wire.terminate();
    expect([calls, seen, socket.onclose]).toEqual([[[]], [new Error('closed'), ['closed', 1006, '']], null]);
  });

  it('closes with codes that a browser lets through', () => {
    const { calls, wire } = setup();
    for (const code of [1000, 1001, 1013, 3000, 4401]) wire.close(code, 'r');
    wire.terminate();
    expect(calls).toEqual([[1000, 'r'], [1000, 'r'], [1000, 'r'], [3000, 'r'], [4401, 'r'], []]);
  });
});
