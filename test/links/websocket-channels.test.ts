import { expect, it } from 'vitest';
import { virtualClock } from 'sluice/testing';
import { Channels } from '../../src/links/websocket-channels.js';
import { WebSocketConnection } from '../../src/links/websocket-connection.js';
import { fakeWire, type FakeWire } from '../helpers/websocket.js';

function connect(channels: Channels): { readonly wire: FakeWire; readonly connection: WebSocketConnection } {
  const wire = fakeWire();
  const clock = virtualClock();
  const connection = new WebSocketConnection(wire, {
    clock,
    topic: '/',
    maxBufferedBytes: 100,
    keepAliveMs: 500,
    closed: () => undefined,
  });
  channels.opened(connection);
  return { wire, connection };
}

it('opens a channel with its first user and closes it with its last', () => {
  const channels = new Channels(100);
  const { wire } = connect(channels);
  const first = channels.want('quotes', { open: 'sub', close: 'unsub' });
  const second = channels.want('quotes', { open: 'sub', close: 'unsub' });
  first();
  first();
  expect(wire.sent).toEqual(['sub']);
  second();
  expect(wire.sent).toEqual(['sub', 'unsub']);
});

it('survives a function that throws: what could not be opened is not asked for again, and who leaves has left', () => {
  const channels = new Channels(100);
  const before = connect(channels);
  const failed = (): never => {
    throw new Error('no token');
  };
  expect(() => channels.want('a', { open: failed })).toThrow('no token');
  channels.want('b', { open: 'open b', close: failed })();
  const after = connect(channels);
  expect([before.wire.sent, after.wire.sent]).toEqual([['open b'], []]);
});

it.each([
  ['more than maxBytes', 'x'.repeat(101), 'PAYLOAD_TOO_LARGE'],
  ['half a surrogate pair', '\ud800', 'ENCODE_FAILED'],
  ['an object', { op: 'subscribe' }, 'ENCODE_FAILED'],
  ['a promise', Promise.resolve('sub'), 'ENCODE_FAILED'],
])('sends no frame of %s, and asks for no such channel again (S03)', (_, wrong, code) => {
  const channels = new Channels(100);
  const frame = wrong as string;
  const refused = expect.objectContaining({ code, retriable: false }) as Error;
  expect(() => channels.want('before', { open: frame })).toThrow(refused);
  const { wire } = connect(channels);
  expect(() => channels.want('a', { open: frame })).toThrow(refused);
  expect(() => channels.want('b', { open: () => frame })).toThrow(refused);
  channels.want('c', { open: 'open c', close: () => frame })();
  expect(wire.sent).toEqual(['open c']);
});

it('gives a connection up that could not be told what is wanted', () => {
  const channels = new Channels(100);
  channels.want('a', { open: () => 'x'.repeat(101) });
  expect(() => connect(channels)).toThrow(expect.objectContaining({ code: 'PAYLOAD_TOO_LARGE' }) as Error);
});

it('tells a new connection everything that is wanted, in the order it was asked for, and nothing else', () => {
  const channels = new Channels(100);
  let token = 0;
  channels.want('a', { open: () => `a with token ${(token += 1)}` });
  const leave = channels.want('b', { open: 'b', close: 'not b' });
  channels.want('c', { open: 'c' });
  const before = connect(channels);
  expect(before.wire.sent).toEqual(['a with token 1', 'b', 'c']);
  channels.lost(before.connection);
  leave();
  const after = connect(channels);
  expect(after.wire.sent).toEqual(['a with token 2', 'c']);
  // The old connection is told later than the new one is there.
  channels.lost(before.connection);
  channels.want('d', { open: 'd' });
  expect(after.wire.sent).toEqual(['a with token 2', 'c', 'd']);
});
