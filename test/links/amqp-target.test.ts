import { describe, expect, it } from 'vitest';
import { amqpTarget } from '../../src/links/amqp-target.js';

describe('amqpTarget', () => {
  it.each([
    ['amqp://host', ['amqp', 'host', 5672, 'guest', 'guest', '/']],
    ['amqps://u:p@host', ['amqps', 'host', 5671, 'u', 'p', '/']],
    ['amqp://u%40x:p%2Fq@host:1234/my%2Fhost', ['amqp', 'host', 1234, 'u@x', 'p/q', 'my/host']],
    ['amqp://[::1]:99/', ['amqp', '::1', 99, 'guest', 'guest', '/']],
  ])('takes %s apart (S0.36, S0.37)', (url, expected) => {
    const { protocol, hostname, port, username, password, vhost } = amqpTarget({
      url,
      dangerouslyAllowPlainText: true,
    });
    expect([protocol, hostname, port, username, password, vhost]).toEqual(expected);
  });

  it('takes a login beside the URL before the one in it', () => {
    const login = (options: object): string[] => {
      const { username, password } = amqpTarget({ url: 'amqp://u%40x:p@localhost', ...options });
      return [username, password];
    };
    expect(login({ username: 'a%40b' })).toEqual(['a%40b', 'p']);
    expect(login({ password: 'c' })).toEqual(['u@x', 'c']);
  });

  it('asks for heartbeats in whole seconds, of 5 s by default', () => {
    const heartbeats = [{}, { heartbeatMs: 1_500 }].map(
      (options) => amqpTarget({ url: 'amqp://a', ...options }).heartbeat,
    );
    expect(heartbeats).toEqual([5, 2]);
  });

  it.each([
    'http://u:hidden@host',
    'hidden',
    'amqp://',
    'amqp://u:hidden%zz@host',
    'amqp://u:12/hidden@host',
    'amqp://host/hidden@home',
  ])('says what is wrong with %s without showing it', (url) => {
    let error: unknown;
    try {
      amqpTarget({ url });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(JSON.stringify([String(error), error])).not.toContain('hidden');
  });

  it('takes no parameters, which would be of no effect', () => {
    // The second has a password with a #, and would be for a host `user`.
    for (const url of ['amqp://host?heartbeat=60&cacertfile=ca.pem', 'amqp://user:1#2@host'])
      expect(() => amqpTarget({ url })).toThrow(
        `'url': expected nothing behind a ? or #: what stands there is an option`,
      );
  });

  it('sends no login over a network in the clear, unless that was written out (S13)', () => {
    const refused = "'url': credentials would travel unencrypted to far; use amqps:, or set dangerouslyAllowPlainText";
    for (const url of ['amqp://u:hidden@far', 'amqp://u@far']) expect(() => amqpTarget({ url })).toThrow(refused);
    for (const url of [
      'amqp://far',
      'amqps://u:p@far',
      'amqp://u:p@localhost',
      'amqp://u:p@127.0.0.1',
      'amqp://u:p@[::1]',
    ])
      expect(() => amqpTarget({ url })).not.toThrow();
    for (const login of [{ username: 'u' }, { password: 'hidden' }, { password: () => 'hidden' }])
      expect(() => amqpTarget({ url: 'amqp://far', ...login })).toThrow(refused);
    expect(amqpTarget({ url: 'amqp://u:p@far', dangerouslyAllowPlainText: true }).password).toBe('p');
  });
});
