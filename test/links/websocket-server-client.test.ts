import { describe, expect, it } from 'vitest';
import { virtualClock, type VirtualClock } from 'sluice/testing';
import { serveClient, type ServedClient } from '../../src/links/websocket-server-client.js';
import type { WebSocketRequest } from '../../src/links/websocket-request.js';
import { collect } from '../helpers/collect.js';
import { ownAccessors } from '../helpers/own-accessors.js';
import { fakeWire, give, type FakeWire } from '../helpers/websocket.js';

const DAY_MS = 86_400_000;

function serve(expiresInMs?: number): {
  wire: FakeWire;
  clock: VirtualClock;
  served: ServedClient<string>;
  closed: number[];
} {
  const wire = fakeWire();
  const clock = virtualClock();
  const closed: number[] = [];
  const served = serveClient<string>({
    wire,
    request: { path: '/desk' } as WebSocketRequest,
    accepted: { principal: 'ada', ...(expiresInMs === undefined ? {} : { expiresAtMs: clock.now() + expiresInMs }) },
    limits: { maxBytes: 1_000, maxBufferedBytes: 1_000 },
    clock,
    keepAliveMs: 500,
    closeTimeoutMs: 1_000,
    closed: () => closed.push(1),
  });
  return { wire, clock, served, closed };
}

describe('serveClient', () => {
  it('reads nothing until those who were told of the client had their turn', () => {
    const { wire, clock } = serve();
    expect(wire.calls).toEqual(['pause']);
    clock.advance(0);
    expect(wire.calls).toEqual(['pause', 'resume']);
  });

  it('gives a client its principal and an id of its own', () => {
    const { served } = serve();
    expect(served.client.principal).toBe('ada');
    expect(served.client.id).toMatch(/^[0-9a-z]{12,20}$/);
  });

  it('makes clients of one shape, which know whether they are open', () => {
    const { served, wire } = serve();
    expect([ownAccessors(served.client), served.client.isOpen]).toEqual([[], true]);
    wire.events.closed(1001, '');
    expect(served.client.isOpen).toBe(false);
  });

  it('closes when the credentials end, however far off that is', () => {
    const { wire, clock } = serve(60 * DAY_MS);
    clock.advance(59 * DAY_MS);
    expect(wire.calls).not.toContain('close 4401 credentials expired');
    clock.advance(DAY_MS);
    expect(wire.calls).toContain('close 4401 credentials expired');
  });

  it('forgets the end of the credentials with the connection', () => {
    const { wire, clock, closed } = serve(1_000);
    wire.events.closed(1001, '');
    clock.advance(2_000);
    expect([closed, clock.pendingTimers]).toEqual([[1], 0]);
    expect(wire.calls).toEqual(['pause']);
  });

  it('opens a sink onto a client that is gone and has it refuse everything', () => {
    const { wire, clock, served } = serve();
    wire.events.closed(1006, '');
    const { outcomes } = give(served.client.sink, 'late');
    clock.advance(0);
    const incoming = collect(served.client.source);
    clock.advance(0);
    expect([outcomes[0] ?? 'requeue CONNECTION_LOST', incoming.completed]).toEqual(['requeue CONNECTION_LOST', true]);
  });
});
