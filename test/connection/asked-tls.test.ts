import { expect, it } from 'vitest';
import { askedTls } from '../../src/connection/asked-tls.js';

const PEM = '-----BEGIN CERTIFICATE-----\nhidden\n-----END CERTIFICATE-----';

it('gives the options that there are, or that a function gives now', async () => {
  let asked = 0;
  const next = (): { servername: string } => ({ servername: `name ${(asked += 1)}` });
  const fixed = { cert: PEM };
  expect(await askedTls('link tls', undefined)).toBeUndefined();
  expect(await askedTls('link tls', fixed)).toBe(fixed);
  expect(await askedTls('link tls', next)).toEqual({ servername: 'name 1' });
  expect(await askedTls('link tls', async () => next())).toEqual({ servername: 'name 2' });
});

it.each([
  [undefined, 'link tls: expected a function that gives an object'],
  [PEM, 'link tls: expected a function that gives an object'],
  [{ key: './hidden.pem' }, `link tls: 'key': expected PEM, as a text or bytes: a file is not read`],
  [{ pfx: PEM }, `link tls: unknown option 'pfx'`],
])('says what is wrong with what a function gives, and shows nothing of it: %#', async (given, text) => {
  const told = askedTls('link tls', () => given as object);
  await expect(told).rejects.toMatchObject({ code: 'CONFIG_INVALID', retriable: false });
  await expect(told).rejects.toThrow(text);
  await expect(told).rejects.not.toThrow('hidden');
});

it('lets an error of the function be one that passes', async () => {
  const sealed = new Error('The vault is sealed.');
  await expect(askedTls('link tls', () => Promise.reject(sealed))).rejects.toBe(sealed);
});
