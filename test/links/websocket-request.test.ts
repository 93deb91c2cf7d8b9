import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { certificateOf, isOriginAllowed, requestOf } from '../../src/links/websocket-request.js';

const message = (fields: object): IncomingMessage =>
  ({ url: '/', headers: {}, socket: { remoteAddress: '10.1.2.3' }, ...fields }) as unknown as IncomingMessage;

describe('requestOf', () => {
  it('shows what a decision needs', () => {
    const request = requestOf(
      message({
        url: '/feed/a%2Fb?ticket=1&ticket=2',
        headers: { origin: 'https://app.example', 'sec-websocket-protocol': 'v1, token.abc', 'x-many': ['a', 'b'] },
      }),
    );
    expect(request).toMatchObject({
      path: '/feed/a%2Fb',
      protocols: ['v1', 'token.abc'],
      origin: 'https://app.example',
      address: '10.1.2.3',
      isEncrypted: false,
      certificate: undefined,
    });
    expect(request.query.getAll('ticket')).toEqual(['1', '2']);
    expect(request.headers['x-many']).toBe('a, b');
  });

  const shown = { raw: Buffer.of(1), subjectaltname: 'DNS:desk' };

  it('names a client by a certificate only when that was verified (S14)', () => {
    const socket = { encrypted: true, getPeerCertificate: () => shown };
    expect(requestOf(message({ socket: { ...socket, authorized: true } })).certificate).toBe('DNS:desk');
    expect(requestOf(message({ socket: { ...socket, authorized: false } })).certificate).toBeUndefined();
  });

  it('takes for verified only what was shown, whatever Node says of a resumed session (S14)', () => {
    const certificate = (given: unknown): unknown =>
      certificateOf({ authorized: true, getPeerCertificate: () => given as never });
    // Empty where nothing was shown, null once the socket is destroyed.
    expect([{}, null, shown].map(certificate)).toEqual([undefined, undefined, shown]);
    expect(certificateOf({ authorized: true })).toBeUndefined();
    expect(certificateOf({})).toBeUndefined();
  });

  it.each([
    ['/feed?a', '/feed'],
    ['//other/feed', '//other/feed'],
    ['/\\other/feed', '//other/feed'],
    ['http://other/feed', '/feed'],
    ['/a/../feed', '/feed'],
  ])('takes the whole path of %s (B26)', (url, path) => {
    expect(requestOf(message({ url })).path).toBe(path);
  });

  it('has headers without a prototype', () => {
    expect(requestOf(message({})).headers['constructor']).toBeUndefined();
  });
});

describe('isOriginAllowed', () => {
  it.each([
    [undefined, [], true],
    ['https://app.example', [], false],
    ['null', [], false],
    ['https://app.example', ['https://app.example'], true],
    ['https://app.example.evil', ['https://app.example'], false],
    ['http://app.example', ['https://app.example'], false],
    ['https://any.example', ['*'], true],
  ])('%s with %j: %s (S08)', (origin, allowed, expected) => {
    expect(isOriginAllowed(origin, allowed)).toBe(expected);
  });
});
