import { describe, expect, it } from 'vitest';
import { MqttIds } from '../../src/links/mqtt-ids.js';

describe('packet identifiers', () => {
  it('count up from 1, round, and over what is in use', () => {
    const ids = new MqttIds();
    expect(ids.getLastAllocated()).toBe(null);
    expect([ids.allocate(), ids.allocate(), ids.allocate()]).toEqual([1, 2, 3]);
    ids.deallocate(1);
    for (let id = 4; id <= 65_535; id += 1) ids.allocate();
    expect(ids.allocate()).toBe(1);
    expect(ids.allocate()).toBe(null);
    ids.deallocate(700);
    ids.deallocate(700);
    expect([ids.allocate(), ids.allocate()]).toEqual([700, null]);
    expect(ids.getLastAllocated()).toBe(700);
  });

  it('are all free again after a clear, but for those that are registered', () => {
    const ids = new MqttIds();
    for (let id = 1; id <= 65_535; id += 1) ids.allocate();
    ids.clear();
    expect(ids.register(1)).toBe(true);
    expect(ids.register(1)).toBe(false);
    expect(ids.allocate()).toBe(2);
  });
});
