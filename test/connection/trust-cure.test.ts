import { expect, it } from 'vitest';
import { trustCure } from '../../src/connection/trust-cure.js';

it('says what to do about a certificate that is not trusted, and nothing of a connection that fails', () => {
  for (const code of ['DEPTH_ZERO_SELF_SIGNED_CERT', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_GET_ISSUER_CERT'])
    expect(trustCure(code)).toContain(`'ca' of tls`);
  expect(trustCure('ERR_TLS_CERT_ALTNAME_INVALID')).toContain(`'servername' of tls`);
  expect(trustCure('CERT_HAS_EXPIRED')).toContain('renewed');
  expect(trustCure('CERT_REVOKED')).toContain('not trusted here');
  for (const alert of [
    'TLSV13_ALERT_CERTIFICATE_REQUIRED',
    'TLSV1_ALERT_UNKNOWN_CA',
    'SSLV3_ALERT_BAD_CERTIFICATE',
    'SSL/TLS_ALERT_BAD_CERTIFICATE',
  ])
    expect(trustCure(`ERR_SSL_${alert}`)).toContain(`'cert' and 'key' of tls`);
  for (const code of ['PEM_BAD_BASE64_DECODE', 'X509_KEY_VALUES_MISMATCH', 'BAD_DECRYPT', 'UNSUPPORTED'])
    expect(trustCure(`ERR_OSSL_${code}`)).toContain(`'passphrase' of tls`);
  for (const code of [
    'ERR_SSL_WRONG_VERSION_NUMBER',
    'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR',
    'ECONNREFUSED',
    undefined,
    5,
  ])
    expect(trustCure(code)).toBeUndefined();
});
