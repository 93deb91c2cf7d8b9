import { expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { runCase } from 'sluice/testing';
import { webSocketFrames, webSocketReader } from '../helpers/websocket-bench.js';

it.each([webSocketFrames, webSocketReader])(
  'a source that never makes its peer wait is caught by CRD-10: $name',
  async (harness) => {
    vi.spyOn(WebSocket.prototype, 'pause').mockImplementation(() => undefined);
    const result = await runCase(harness, 'CRD-10');
    const message: unknown = expect.stringMatching(/far side waits as well/);
    expect(result).toMatchObject({ status: 'failed', error: { message } });
  },
);
