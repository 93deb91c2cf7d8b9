import { describe, expect, it } from 'vitest';
import { mqttTarget } from '../../src/links/mqtt-target.js';

describe('the URL of a broker', () => {
  it('is taken apart (S0.36, S0.37)', () => {
    expect(mqttTarget('mqtt://user:p%40ss@broker.example:1884')).toEqual({
      protocol: 'mqtt',
      hostname: 'broker.example',
      port: 1884,
      path: undefined,
      username: 'user',
      password: 'p@ss',
      isSecure: false,
    });
    expect(mqttTarget('wss://h/mqtt?x=1')).toMatchObject({
      protocol: 'wss',
      path: '/mqtt?x=1',
      port: undefined,
      isSecure: true,
    });
    expect(mqttTarget('mqtts://[::1]')).toMatchObject({ hostname: '::1', username: undefined, isSecure: true });
  });

  it.each([
    'http://a',
    'mqtt:',
    'nothing',
    'mqtt://h?clientId=secret',
    'mqtt://user:1#secret@h',
    'wss://user:1#secret@h',
    'mqtt://user:top%secret@h',
    'mqtt://user:12/secret@h',
    'mqtts://h/secret',
  ])('is refused without being shown: %s', (url) => {
    expect(() => mqttTarget(url)).toThrow(/'url': expected/);
    expect(() => mqttTarget(url)).not.toThrow(/secret/);
  });
});
