import { describe, expect, it } from 'vitest';
import { systemClock } from 'sluice';
import { MqttSessions, randomClientId } from '../../src/links/mqtt-sessions.js';

describe('the sessions of a link', () => {
  it('gives a second subscription of the same topics a number, and takes other topics for a mistake', () => {
    const sessions = new MqttSessions();
    expect(sessions.claim('app', 'a').clientId).toBe('app');
    const second = sessions.claim('app', 'a');
    expect(second.clientId).toBe('app.2');
    expect(sessions.claim('app', 'a').clientId).toBe('app.3');
    expect(() => sessions.claim('app', 'b')).toThrow(/give each source of a link a name/);
    second.leaving();
    second.left();
    expect(sessions.claim('app', 'a').clientId).toBe('app.2');
  });

  it('lets who comes after one that leaves wait for it', async () => {
    const sessions = new MqttSessions();
    const first = sessions.claim('app', 'a');
    expect(first.free).toBeUndefined();
    first.leaving();
    const next = sessions.claim('app', 'b');
    expect(next.clientId).toBe('app');
    let isFree = false;
    const waiting = next.free?.then(() => (isFree = true));
    await Promise.resolve();
    expect(isFree).toBe(false);
    first.left();
    await waiting;
    expect(isFree).toBe(true);
    // What the first one says late does not take it from the next.
    first.left();
    expect(() => sessions.claim('app', 'c')).toThrow(/in use/);
  });

  it('has names that nobody else has for who keeps none', () => {
    expect(randomClientId(systemClock)).toMatch(/^sluice-[a-z0-9]{1,12}$/);
    expect(randomClientId(systemClock)).not.toBe(randomClientId(systemClock));
  });
});
