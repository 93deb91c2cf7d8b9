import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { systemClock } from 'sluice';
import { openWire, type OpenRequest } from '../../src/links/websocket-client.js';
import { until } from '../helpers/until.js';
import { bareServer } from '../helpers/websocket.js';

const request = (fields: Partial<OpenRequest>): OpenRequest => ({
  client: undefined,
  url: 'ws://127.0.0.1:1/',
  protocols: [],
  options: { perMessageDeflate: false },
  maxBytes: 1_000,
  clock: systemClock,
  ...fields,
});

describe('openWire', () => {
  it.each([['ws' as const], [undefined], [WebSocket as never]])(
    'opens with ws in Node, asked for as %s',
    async (client) => {
      await using server = await bareServer();
      const wire = await openWire(request({ client, url: server.url })).wire;
      expect(wire.canPause).toBe(true);
      wire.terminate();
    },
  );

  it('takes the class it is given', async () => {
    const opened: string[] = [];
    const wire = await openWire(request({ client: fakePlatform(opened) })).wire;
    expect([wire.canPause, opened]).toEqual([false, ['ws://127.0.0.1:1/ ']]);
  });

  it('tells why a server refused (REC-12)', async () => {
    await using server = await bareServer();
    server.server.options.verifyClient = (_: unknown, answer: (ok: boolean, code: number) => void) =>
      answer(false, 403);
    await expect(openWire(request({ client: 'ws', url: server.url })).wire).rejects.toMatchObject({
      code: 'AUTH_FAILED',
      retriable: false,
    });
    await expect(openWire(request({ client: 'ws' })).wire).rejects.toMatchObject({
      code: 'CONNECT_FAILED',
      retriable: true,
    });
  });

  it('drops an opening at whatever point it is (SHU-07)', async () => {
    await using server = await bareServer();
    const early = openWire(request({ client: 'ws', url: server.url }));
    early.drop();
    await expect(early.wire).rejects.toMatchObject({ code: 'CONNECT_FAILED' });
    const later = openWire(request({ client: WebSocket, url: server.url }));
    await Promise.resolve();
    await Promise.resolve();
    later.drop();
    await expect(later.wire).rejects.toMatchObject({ retriable: true });
    await until(() => expect(server.server.clients.size).toBe(0));
  });
});

/** A class with the shape of a browser's, open at once. */
function fakePlatform(opened: string[]): NonNullable<Exclude<OpenRequest['client'], 'ws'>> {
  return class {
    protocol = '';
    bufferedAmount = 0;
    readyState = 1;
    binaryType = 'blob';
    onopen: (() => void) | null = null;
    onmessage = null;
    onerror = null;
    onclose = null;
    constructor(url: string, protocols: readonly string[]) {
      opened.push(`${url} ${protocols.join()}`);
      queueMicrotask(() => this.onopen?.());
    }
    send(): void {}
    close(): void {}
  } as never;
}
