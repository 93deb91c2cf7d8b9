import { expect, it } from 'vitest';
import { isUntrusted } from '../../src/connection/untrusted.js';

it('tells a certificate that is not trusted from a connection that fails', () => {
  for (const code of ['CERT_HAS_EXPIRED', 'ERR_TLS_CERT_ALTNAME_INVALID', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'])
    expect(isUntrusted(code)).toBe(true);
  for (const alert of ['TLSV13_ALERT_CERTIFICATE_REQUIRED', 'TLSV1_ALERT_UNKNOWN_CA', 'SSLV3_ALERT_BAD_CERTIFICATE'])
    expect(isUntrusted(`ERR_SSL_${alert}`)).toBe(true);
  for (const code of ['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR'])
    expect(isUntrusted(code)).toBe(false);
  for (const code of ['ECONNREFUSED', 'ECONNRESET', undefined, 5]) expect(isUntrusted(code)).toBe(false);
});
