import { describe, expect, it } from 'vitest';
import {
  connectionFailed,
  connectRefused,
  disconnected,
  publishRefused,
  subscribeRefused,
} from '../../src/links/mqtt-errors.js';

const told = ({ code, retriable }: { code: string; retriable: boolean }): string =>
  `${code}${retriable ? ' again' : ''}`;

describe('errors of MQTT', () => {
  it.each([
    [1, 'CONFIG_INVALID'],
    [2, 'CONFIG_INVALID'],
    [3, 'CONNECT_FAILED again'],
    [4, 'AUTH_FAILED'],
    [5, 'AUTH_FAILED'],
    [0x84, 'CONFIG_INVALID'],
    [0x85, 'CONFIG_INVALID'],
    [0x86, 'AUTH_FAILED'],
    [0x87, 'AUTH_FAILED'],
    [0x88, 'CONNECT_FAILED again'],
    [0x89, 'CONNECT_FAILED again'],
    [0x9d, 'CONNECT_FAILED'],
    [0x9f, 'CONNECT_FAILED again'],
  ])('a refusal of the connection with %i is %s (REC-12)', (code, expected) => {
    expect(told(connectRefused(code))).toBe(expected);
  });

  it.each([
    [0x87, false, 'AUTH_FAILED'],
    [0x8f, false, 'CONFIG_INVALID'],
    [0x9e, false, 'CONFIG_INVALID'],
    [0x97, false, 'CONNECT_FAILED again'],
    [0x80, true, 'AUTH_FAILED'],
  ])('a refusal of a subscription with %i is %s', (reason, isPlain, expected) => {
    const error = subscribeRefused(reason, 'a/#', isPlain);
    expect(told(error)).toBe(expected);
    expect(error.message).toContain('a/#');
  });

  it('of MQTT 3.1.1 say what may be missing besides the permission', () => {
    expect(subscribeRefused(0x80, '$share/g/a', true).message).toContain('no shared subscriptions (share)');
    expect(subscribeRefused(0x80, 'a', true).message).not.toContain('share');
  });

  it('say why, also where the client gives no text', () => {
    const error = Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' });
    expect(connectionFailed(error, false).message).toBe('mqtt could not connect: ECONNREFUSED');
    const code = 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED';
    const alert = Object.assign(new Error('809C:error:0A00045C:SSL routines:x:../deps/openssl.c:1:SSL alert'), {
      code,
    });
    expect(connectionFailed(alert, false)).toMatchObject({
      code: 'AUTH_FAILED',
      message: `mqtt could not connect: ${code}; give a certificate that it trusts as 'cert' and 'key' of tls`,
    });
  });

  it.each([
    [0x80, 'SINK_FAILED again'],
    [0x87, 'AUTH_FAILED'],
    [0x90, 'TOPIC_INVALID'],
    [0x95, 'PAYLOAD_TOO_LARGE'],
    [0x97, 'SINK_FAILED again'],
    [0x99, 'SINK_FAILED'],
  ])('a refusal of a message with %i is %s', (reason, expected) => {
    expect(told(publishRefused(reason))).toBe(expected);
  });

  it.each([
    [0, 'CONNECTION_LOST again'],
    [0x8b, 'CONNECTION_LOST again'],
    [0x8d, 'CONNECTION_LOST again'],
    [0x8e, 'CONFIG_INVALID'],
    [0x95, 'CONNECTION_LOST again'],
  ])('a goodbye with %i is %s', (reason, expected) => {
    expect(told(disconnected(reason))).toBe(expected);
  });

  it.each([
    [{ code: 'ECONNREFUSED', message: 'connect ECONNREFUSED' }, false, 'CONNECT_FAILED again'],
    [{ code: 'DEPTH_ZERO_SELF_SIGNED_CERT', message: 'self-signed certificate' }, false, 'AUTH_FAILED'],
    [{ message: 'Unexpected server response: 401' }, false, 'AUTH_FAILED'],
    [{ message: 'Unexpected server response: 404' }, false, 'CONNECT_FAILED'],
    [{ message: 'Unexpected server response: 503' }, false, 'CONNECT_FAILED again'],
    [{ code: 5, message: 'Connection refused: Not authorized' }, false, 'AUTH_FAILED'],
    [undefined, false, 'CONNECT_FAILED again'],
    [{ code: 'ECONNRESET', message: 'read ECONNRESET' }, true, 'CONNECTION_LOST again'],
    [undefined, true, 'CONNECTION_LOST again'],
    [{ message: 'Invalid header flag bits' }, true, 'PROTOCOL_ERROR again'],
    [{ code: 149, message: 'exceeding packets size' }, true, 'PROTOCOL_ERROR again'],
  ])('what the client says, %j, is told', (error, isOpen, expected) => {
    expect(told(connectionFailed(error, isOpen))).toBe(expected);
  });
});
