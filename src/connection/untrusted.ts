const CODES =
  /^(ERR_TLS_|CERT_|DEPTH_ZERO_SELF_SIGNED_CERT$|SELF_SIGNED_CERT_IN_CHAIN$|UNABLE_TO_(GET|VERIFY)_|HOSTNAME_MISMATCH$)/;

/** True for the code of a failure of TLS that no second try repairs: a certificate that is not trusted. @internal */
export function isUntrusted(code: unknown): code is string {
  return typeof code === 'string' && CODES.test(code);
}
