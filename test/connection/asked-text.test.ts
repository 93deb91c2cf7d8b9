import { describe, expect, it } from 'vitest';
import { askedText } from '../../src/connection/asked-text.js';

describe('askedText', () => {
  it('gives the text that there is, or that a function gives now', async () => {
    let asked = 0;
    const next = (): string => `token ${(asked += 1)}`;
    const given = [undefined, 'fixed', next, async () => next()].map((option) => askedText('f', 'password', option));
    expect(await Promise.all(given)).toEqual([undefined, 'fixed', 'token 1', 'token 2']);
  });

  it('says of what is no text only that it is none, and lets an error of the function be one that passes', async () => {
    const wrong = (): string => ({ token: 'hidden' }) as unknown as string;
    const told = askedText('amqpLink', 'password', wrong);
    await expect(told).rejects.toMatchObject({ code: 'CONFIG_INVALID', retriable: false });
    await expect(told).rejects.toThrow("amqpLink: 'password': expected a function that gives a text");
    await expect(told).rejects.not.toThrow('hidden');
    const down = new Error('the token service is down');
    await expect(askedText('f', 'password', () => Promise.reject(down))).rejects.toBe(down);
  });
});
