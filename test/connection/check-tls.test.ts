import { describe, expect, it } from 'vitest';
import { checkTls } from '../../src/connection/check-tls.js';
import { flag, text } from '../../src/options.js';

const PEM = '-----BEGIN CERTIFICATE-----\nhidden\n-----END CERTIFICATE-----';
const said = (tls: object, own?: Parameters<typeof checkTls>[2]): string => {
  try {
    checkTls('link tls', tls, own);
    return '';
  } catch (error) {
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    return (error as Error).message;
  }
};

describe('checkTls', () => {
  it('takes PEM as texts and bytes, of several authorities too', () => {
    const bytes = new TextEncoder().encode(PEM);
    for (const ca of [PEM, bytes, [PEM, bytes]]) expect(said({ ca })).toBe('');
    expect(said({ cert: PEM, key: bytes, passphrase: 'hidden', servername: 'broker.example' })).toBe('');
    checkTls('link tls', undefined);
  });

  it('says of the path of a file that it is not read', () => {
    for (const tls of [{ ca: './ca.pem' }, { ca: [PEM, './ca.pem'] }, { cert: './a.pem' }, { key: './a.key' }])
      expect(said(tls)).toMatch(/expected PEM, as a text or bytes: a file is not read, got (?!.*\.key)/);
  });

  it('says what to write for what Node has under another name', () => {
    expect(said({ pfx: PEM })).toBe(`link tls: unknown option 'pfx': give 'cert' and 'key', as PEM.`);
    expect(said({ rejectUnauthorized: false })).toContain(`give who signed that of the far side as 'ca'`);
    const own = { servername: text, dangerouslySkipVerify: flag };
    expect(said({ rejectUnauthorized: false }, own)).toContain(`did you mean 'dangerouslySkipVerify'?`);
    expect(said({ servername: 'a' }, {})).toContain(`unknown option 'servername'`);
  });
});
