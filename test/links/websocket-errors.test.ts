import { describe, expect, it } from 'vitest';
import { SluiceError } from 'sluice';
import { closedWith, connectFailed, upgradeRefused } from '../../src/links/websocket-errors.js';

const fault = (code: string): Error => Object.assign(new Error('x'), { code });

describe('errors of a WebSocket connection (B25)', () => {
  it.each([
    [401, 'AUTH_FAILED', false],
    [403, 'AUTH_FAILED', false],
    [400, 'CONNECT_FAILED', false],
    [404, 'CONNECT_FAILED', false],
    [426, 'CONNECT_FAILED', false],
    [408, 'CONNECT_FAILED', true],
    [425, 'CONNECT_FAILED', true],
    [429, 'CONNECT_FAILED', true],
    [500, 'CONNECT_FAILED', true],
    [503, 'CONNECT_FAILED', true],
    [302, 'CONNECT_FAILED', true],
    [301, 'CONNECT_FAILED', false],
    [308, 'CONNECT_FAILED', false],
  ])('an upgrade answered with %i is %s, retriable: %s', (status, code, retriable) => {
    expect(upgradeRefused(status)).toMatchObject({ code, retriable, details: { status } });
  });

  it('says of an answer where to look', () => {
    expect(upgradeRefused(404).message).toContain('HTTP 404: it has nothing at this path (url)');
    expect(upgradeRefused(308).message).toContain('it has another address (url)');
    expect(upgradeRefused(500).message).toMatch(/HTTP 500\.$/);
  });

  it.each([
    ['ECONNREFUSED', 'CONNECT_FAILED', true],
    ['ENOTFOUND', 'CONNECT_FAILED', true],
    ['ECONNRESET', 'CONNECT_FAILED', true],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'AUTH_FAILED', false],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'AUTH_FAILED', false],
    ['CERT_HAS_EXPIRED', 'AUTH_FAILED', false],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'AUTH_FAILED', false],
  ])('a connect that fails with %s is %s, retriable: %s (REC-12)', (cause, code, retriable) => {
    expect(connectFailed(fault(cause))).toMatchObject({ code, retriable, details: { code: cause } });
  });

  it.each([
    ['Server sent no subprotocol', 'PROTOCOL_ERROR', false],
    ['Server sent an invalid subprotocol', 'PROTOCOL_ERROR', false],
    ['Invalid Sec-WebSocket-Accept header', 'CONNECT_FAILED', true],
    ['Opening handshake has timed out', 'CONNECT_FAILED', true],
  ])('an answer to the upgrade of which ws says "%s" is %s, retriable: %s', (said, code, retriable) => {
    const error = connectFailed(new Error(said));
    expect(error).toMatchObject({ code, retriable });
    expect(error.message).toContain(said.endsWith('subprotocol') ? `: ${said} (protocols).` : `: ${said}.`);
  });

  it('say nothing of what may hold a secret', () => {
    expect(connectFailed(new Error('Invalid URL: ws://me:canary@feed')).message).not.toContain('canary');
  });

  it.each([
    [1000, 'CONNECTION_LOST', true],
    [1001, 'CONNECTION_LOST', true],
    [1006, 'CONNECTION_LOST', true],
    [1011, 'CONNECTION_LOST', true],
    [1012, 'CONNECTION_LOST', true],
    [1013, 'CONNECTION_LOST', true],
    [1002, 'PROTOCOL_ERROR', false],
    [1003, 'PROTOCOL_ERROR', false],
    [1007, 'PROTOCOL_ERROR', false],
    [1010, 'PROTOCOL_ERROR', false],
    [1008, 'AUTH_FAILED', false],
    [1009, 'PAYLOAD_TOO_LARGE', false],
    [4401, 'AUTH_FAILED', false],
  ])('a close with %i is %s, retriable: %s', (closeCode, code, retriable) => {
    expect(closedWith(closeCode, '')).toMatchObject({ code, retriable, details: { closeCode } });
  });

  it('lets expired credentials be renewed where they come from a function, and nothing else', () => {
    expect(closedWith(4401, '', undefined, true).retriable).toBe(true);
    expect(closedWith(1008, '', undefined, true).retriable).toBe(false);
  });

  it.each([
    ['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 'PAYLOAD_TOO_LARGE', 1009],
    ['WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH', 'PAYLOAD_TOO_LARGE', 1009],
    ['WS_ERR_INVALID_UTF8', 'PROTOCOL_ERROR', 1007],
    ['WS_ERR_TOO_MANY_BUFFERED_PARTS', 'PROTOCOL_ERROR', 1008],
    ['WS_ERR_UNEXPECTED_RSV_1', 'PROTOCOL_ERROR', 1002],
  ])('names this side as the finder of %s', (cause, code, shown) => {
    const error = closedWith(1006, '', fault(cause));
    expect(error).toMatchObject({ code, retriable: false });
    expect(error.message).toContain(`(${shown}), found by this side`);
  });

  it('keeps the reason that this side had, and the peer’s out of the text', () => {
    const own = new SluiceError('PEER_LOST', 'silent', { retriable: true });
    expect(closedWith(1006, '', own)).toBe(own);
    const told = closedWith(1001, 'secret'.repeat(20));
    expect(told.message).not.toContain('secret');
    expect(String(told.details['reason'])).toHaveLength(64);
  });
});
