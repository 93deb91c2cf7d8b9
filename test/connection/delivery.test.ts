import { describe, expect, it } from 'vitest';
import { NO_HEADERS } from 'sluice';
import { deliveryFault } from '../../src/connection/delivery.js';

describe('deliveryFault', () => {
  const sound = { payload: undefined, topic: '' };

  it('is nothing of a delivery with a topic, whatever else it leaves out', () => {
    for (const more of [
      {},
      { id: undefined, key: undefined, headers: undefined },
      { id: '', key: '', headers: NO_HEADERS },
    ])
      expect(deliveryFault('rough', { ...sound, ...more })).toBeUndefined();
    expect(deliveryFault('rough', { ...sound, headers: { a: ['1', Uint8Array.of(2)] } })).toBeUndefined();
  });

  it.each<[unknown, string]>([
    [undefined, 'expected an object with payload and topic'],
    [null, 'expected an object with payload and topic'],
    ['a', 'expected an object with payload and topic'],
    [{ payload: 'a' }, "'topic': expected a text"],
    [{ ...sound, id: 5 }, "'id': expected a text"],
    [{ ...sound, key: null }, "'key': expected a text"],
    [{ ...sound, headers: null }, "'headers': expected an object"],
    [{ ...sound, headers: new Map() }, "'headers': expected an object"],
    [{ ...sound, headers: 'a: b' }, "'headers': expected an object"],
  ])('says whose %j is wrong, and what of it (B31)', (given, fault) => {
    const { code, message } = deliveryFault('rough', given) ?? {};
    expect(code).toBe('CONFIG_INVALID');
    expect(message).toContain(`rough: ${fault}`);
  });
});
