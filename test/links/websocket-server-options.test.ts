import { createServer } from 'node:http';
import { describe, expect, it } from 'vitest';
import { checkServerOptions } from '../../src/links/websocket-server-options.js';

const refused = (options: object): string => {
  try {
    checkServerOptions(options);
    return 'accepted';
  } catch (error) {
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    return (error as Error).message;
  }
};
const authenticate = (): 401 => 401;

describe('options of webSocketServer', () => {
  it('accept this machine alone without a login (S01)', () => {
    for (const host of [undefined, 'localhost', '127.0.0.1', '127.1.2.3', '::1']) {
      expect(refused({ port: 0, ...(host === undefined ? {} : { host }) }), host).toBe('accepted');
    }
  });

  it('refuse to open the door to a network that nobody asked to open (S02, SEC-01)', () => {
    for (const host of ['0.0.0.0', '::', '10.0.0.1', 'feed.example']) {
      expect(refused({ port: 0, host }), host).toContain(`'authenticate' is missing`);
      expect(refused({ port: 0, host, authenticate }), host).toBe('accepted');
      expect(refused({ port: 0, host, allowAnonymous: true }), host).toBe('accepted');
    }
  });

  it('refuse a given server of which it cannot be seen where it listens', async () => {
    const server = createServer();
    expect(refused({ server })).toContain('does not listen yet');
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    expect(refused({ server })).toBe('accepted');
    expect(refused({ server, tls: { cert: new Uint8Array(), key: new Uint8Array() } })).toContain(
      `'tls' belongs to the given 'server'`,
    );
    await new Promise((resolve) => server.close(resolve));
  });

  it('take a certificate, and no path of one', () => {
    const tls = { cert: './cert.pem', key: './key.pem' };
    expect(refused({ port: 0, tls })).toMatch(/'cert': expected PEM.*'key': expected PEM/);
  });

  it('need exactly one of port and server', () => {
    expect(refused({})).toContain(`exactly one of 'port' and 'server'`);
  });

  it('accept origins as browsers write them and no others', () => {
    expect(
      refused({ port: 0, origins: ['https://app.example', 'http://localhost:3000', 'chrome-extension://abc', '*'] }),
    ).toBe('accepted');
    for (const origin of ['app.example', 'https://app.example/', 'https://app.example/x', '', 7]) {
      expect(refused({ port: 0, origins: [origin] })).toContain(`'origins'`);
    }
  });

  it('tell every fault at once, with the nearest name (B32)', () => {
    const said = refused({ port: 65_536, path: 'feed', maxConnection: 3, closeTimeoutMs: 6_000 });
    for (const part of [`'port'`, `'path'`, `did you mean 'maxConnections'`, `'closeTimeoutMs'`]) {
      expect(said).toContain(part);
    }
  });
});
