/** This side does not trust the certificate of the other one. */
const OURS =
  /^(ERR_TLS_|CERT_|DEPTH_ZERO_SELF_SIGNED_CERT$|SELF_SIGNED_CERT_IN_CHAIN$|UNABLE_TO_(GET|VERIFY)_|HOSTNAME_MISMATCH$)/;
/** The other side does not trust that of this one, or there is none. Source: RFC 8446, 6.2 (error alerts). */
const THEIRS = /^ERR_SSL_\w*ALERT_(\w*CERTIFICATE\w*|UNKNOWN_CA|ACCESS_DENIED)$/;

/** True for the code of a failure of TLS that no second try repairs: a certificate that is not trusted. @internal */
export function isUntrusted(code: unknown): code is string {
  return typeof code === 'string' && (OURS.test(code) || THEIRS.test(code));
}
