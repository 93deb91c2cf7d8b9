import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { webSocketLink } from 'sluice/websocket';
import { wsOptions } from '../../src/links/websocket-link-options.js';

const refused = (options: object): string => {
  try {
    webSocketLink(options as never);
    return 'accepted';
  } catch (error) {
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    return (error as Error).message;
  }
};
const ws = { client: 'ws' };

describe('options of webSocketLink', () => {
  it('take a URL of a WebSocket and nothing else', () => {
    for (const url of ['ws://localhost', 'wss://feed.example/x?y=1', () => 'wss://feed.example']) {
      expect(refused({ url })).toBe('accepted');
    }
    for (const url of ['http://feed.example', 'feed.example', 'wss://feed.example/#top', '', undefined]) {
      expect(refused({ url })).toContain(`'url'`);
    }
  });

  it('take subprotocols that can be offered: with others every try would fail', () => {
    const url = 'wss://feed.example';
    expect(refused({ url, protocols: ['feed.v1', 'feed+json'] })).toBe('accepted');
    for (const protocols of ['v1', ['two words'], [''], ['v1', 'v1'], [1]])
      expect(refused({ url, protocols })).toContain(`'protocols': expected an array of names, each once`);
  });

  it('keep credentials from crossing a network in the clear (S13)', () => {
    const headers = { Authorization: 'Bearer secret' };
    expect(refused({ ...ws, url: 'ws://feed.example', headers })).toContain('unencrypted to feed.example');
    expect(refused({ ...ws, url: 'ws://ada:secret@feed.example' })).toContain('unencrypted');
    expect(refused({ ...ws, url: 'ws://feed.example', headers, dangerouslyAllowPlainText: true })).toBe('accepted');
    expect(refused({ ...ws, url: 'wss://feed.example', headers })).toBe('accepted');
    expect(refused({ ...ws, url: 'ws://feed.example', headers: { 'x-trace': '1' } })).toBe('accepted');
    for (const host of ['localhost', 'app.localhost', '127.0.0.1', '[::1]']) {
      expect(refused({ ...ws, url: `ws://${host}:8080`, headers }), host).toBe('accepted');
    }
  });

  it('take headers that HTTP can carry: with others every try would fail', () => {
    const url = 'wss://feed.example';
    expect(refused({ ...ws, url, headers: { authorization: 'Bearer x', 'x-name': 'Müller\t1' } })).toBe('accepted');
    // A token that was read from a file.
    const said = refused({ ...ws, url, headers: { authorization: 'Bearer canary\n' } });
    expect(said).toContain(
      `'headers': expected texts that HTTP can carry, without a line break; that of 'authorization'`,
    );
    expect(said).not.toContain('canary');
    for (const headers of [{ a: undefined }, { a: 1 }, { 'two words': 'a' }])
      expect(refused({ ...ws, url, headers })).toContain(`'headers'`);
  });

  it('are told together, whatever is wrong with them', () => {
    const said = refused({ url: 'ws://ada:secret@feed.example', tls: {} });
    expect(said).toContain('unencrypted to feed.example');
    expect(said).toContain(`'headers' and 'tls' need client: 'ws'`);
  });

  it('never show a secret in what they refuse (S21, SEC-02)', () => {
    const said = refused({
      ...ws,
      url: 'ws://ada:canary@feed.example/?t=canary',
      headers: { cookie: 'canary' },
      maxBytes: 'canary!',
    });
    expect(said).not.toContain('canary');
  });

  it('know that no browser has headers or certificates', () => {
    expect(refused({ url: 'wss://feed.example', headers: {} })).toContain(`need client: 'ws'`);
    expect(refused({ url: 'wss://feed.example', tls: {}, client: Object })).toContain(`need client: 'ws'`);
    expect(refused({ url: 'wss://feed.example', tls: {}, client: WebSocket })).toBe('accepted');
  });

  it('say of certificates that are of no use that they are none, or that nothing would look at them', () => {
    expect(refused({ ...ws, url: 'ws://localhost', tls: {} })).toContain(`'tls' needs a URL that begins with wss:`);
    const tls = { ca: './ca.pem', certificate: '' };
    expect(refused({ ...ws, url: 'wss://feed.example', tls })).toBe(
      `webSocketLink tls: unknown option 'certificate'; 'ca': expected PEM, as a text or bytes: a file is not read, got './ca.pem'.`,
    );
  });

  it('tell every fault at once, with the nearest name (B32)', () => {
    const said = refused({ url: 'wss://x', protocol: 'a', maxBytes: 0, heartbeatMs: 1, client: 'browser' });
    for (const part of [`did you mean 'protocols'`, `'maxBytes'`, `'heartbeatMs'`, `'client'`])
      expect(said).toContain(part);
  });
});

describe('what the package ws is given', () => {
  it('checks certificates, compresses nothing, follows nowhere and takes 1 MiB at most (S03, S04, S13)', () => {
    expect(wsOptions({ url: 'wss://x' }, undefined, {}, 1_048_576)).toEqual({
      minVersion: 'TLSv1.2',
      rejectUnauthorized: true,
      headers: {},
      maxPayload: 1_048_576,
      perMessageDeflate: false,
      autoPong: false,
      followRedirects: false,
      handshakeTimeout: 10_000,
    });
  });

  it('skips the check only when that is written out', () => {
    const tls = { ca: 'pem', dangerouslySkipVerify: true };
    expect(wsOptions({ url: 'wss://x' }, { a: 'b' }, tls, 5)).toMatchObject({
      ca: 'pem',
      rejectUnauthorized: false,
      headers: { a: 'b' },
    });
  });
});
