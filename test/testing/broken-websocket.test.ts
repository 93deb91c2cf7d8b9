import { expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { runCase } from 'sluice/testing';
import { webSocketFrames } from '../helpers/websocket-bench.js';

it('a WebSocket source that never makes its peer wait is caught by CRD-10', async () => {
  vi.spyOn(WebSocket.prototype, 'pause').mockImplementation(() => undefined);
  const result = await runCase(webSocketFrames, 'CRD-10');
  expect(result).toMatchObject({
    status: 'failed',
    error: { message: expect.stringMatching(/far side waits as well/) },
  });
});
