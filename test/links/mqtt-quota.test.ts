import { describe, expect, it } from 'vitest';
import { MqttQuota } from '../../src/links/mqtt-quota.js';

describe('the quota of a connection', () => {
  it('has so many places, and tells who waits in turn', () => {
    const quota = new MqttQuota(2);
    const told: string[] = [];
    const user = (name: string) => ({ room: () => void told.push(`${name} ${String(quota.hasRoom)}`) });
    const [a, b, gone] = [user('a'), user('b'), user('gone')];
    quota.take();
    expect(quota.hasRoom).toBe(true);
    quota.take();
    expect(quota.hasRoom).toBe(false);
    quota.wait(gone);
    quota.wait(a);
    quota.wait(a);
    quota.wait(b);
    quota.leave(gone);
    quota.give();
    expect(told).toEqual(['a true', 'b true']);
  });

  it('tells nobody more once the place is taken', () => {
    const quota = new MqttQuota(1);
    const told: string[] = [];
    quota.take();
    for (const name of ['a', 'b'])
      quota.wait({
        room() {
          told.push(name);
          quota.take();
        },
      });
    quota.give();
    expect(told).toEqual(['a']);
    quota.give();
    expect(told).toEqual(['a', 'b']);
  });

  it('has one place while those are out of which one is at fault, and all of them once each is answered', () => {
    const quota = new MqttQuota(3, 2);
    for (let answered = 0; answered < 2; answered += 1) {
      quota.take();
      expect(quota.hasRoom).toBe(false);
      quota.give();
      expect(quota.hasRoom).toBe(true);
    }
    quota.take();
    expect(quota.hasRoom).toBe(true);
  });

  it('knows how many are out as long as none was answered', () => {
    const quota = new MqttQuota(3);
    quota.take();
    quota.take();
    expect(quota.unanswered).toBe(2);
    quota.give();
    expect(quota.unanswered).toBe(0);
  });
});
