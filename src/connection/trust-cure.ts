/** What to do where a certificate is not trusted, by the code of the failure. */
const CURES: readonly (readonly [code: RegExp, cure: string])[] = [
  [
    /^(ERR_TLS_CERT_ALTNAME_INVALID|HOSTNAME_MISMATCH)$/,
    `give the name that its certificate is for as 'servername' of tls`,
  ],
  [/^CERT_(HAS_EXPIRED|NOT_YET_VALID)$/, 'its certificate has to be renewed, or the clock here set right'],
  [
    /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_(GET|VERIFY)_\w+)$/,
    `give who signed its certificate as 'ca' of tls`,
  ],
  [/^(ERR_TLS_|CERT_)/, 'its certificate is not trusted here'],
  // Source: RFC 8446, 6.2 (error alerts): the other side does not trust that of this one, or there is none. What OpenSSL
  // calls SSLV3_ALERT_… is SSL/TLS_ALERT_… from its version 3.2 on.
  [
    /^ERR_SSL_[\w/]*ALERT_(\w*CERTIFICATE\w*|UNKNOWN_CA|ACCESS_DENIED)$/,
    `give a certificate that it trusts as 'cert' and 'key' of tls`,
  ],
  // This side cannot even begin. Only what is about the options: other failures of OpenSSL may pass.
  [
    /^ERR_OSSL_(PEM_\w+|X509_KEY_VALUES_MISMATCH|(EVP_)?(BAD_DECRYPT|UNSUPPORTED))$/,
    `correct 'cert', 'key' and 'passphrase' of tls: they do not fit, or cannot be read`,
  ],
];

/**
 * What to do about a failure of TLS that no second try repairs: a certificate that is not trusted on either side, or a key that
 * is of no use; undefined for the code of any other failure.
 *
 * @internal
 */
export function trustCure(code: unknown): string | undefined {
  return typeof code === 'string' ? CURES.find(([known]) => known.test(code))?.[1] : undefined;
}
