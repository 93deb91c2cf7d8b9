import { checkOptions, type OptionRule, text } from './options.js';

/**
 * How the far side is known and this side makes itself known. The same over every connector.
 *
 * @see checkTls
 */
export interface TlsOptions {
  /** Who may have signed the far side's certificate, as PEM. Default: the roots that Node brings. */
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[];
  readonly cert?: string | Uint8Array;
  readonly key?: string | Uint8Array;
  readonly passphrase?: string;
  /** The name the certificate has to be for. Default: the host that is connected to. */
  readonly servername?: string;
}

/** Bytes may hold anything; a text that is none is most often the path of a file. */
const pem: OptionRule = (value) =>
  value instanceof Uint8Array || (typeof value === 'string' && value.includes('-----BEGIN '))
    ? undefined
    : 'expected PEM, as a text or bytes: a file is not read';
const authorities: OptionRule = (value) => {
  const all: readonly unknown[] = Array.isArray(value) ? value : [value];
  return all.map(pem).find((wrong) => wrong !== undefined);
};

const CHECKED = `every certificate is checked; give who signed that of the far side as 'ca'`;

/**
 * Checks what one side of a connection over TLS was given. The same names over every connector.
 *
 * @param own the rules of what this side has besides, by name
 * @throws SluiceError `CONFIG_INVALID`; it shows nothing of a key or a certificate
 * @internal
 */
export function checkTls(
  owner: string,
  tls: object | undefined,
  own: Readonly<Record<string, OptionRule>> = { servername: text },
): void {
  // What a function gives is looked at before each try.
  if (tls === undefined || typeof tls === 'function') return;
  checkOptions<Record<string, unknown>>(
    owner,
    tls as Record<string, unknown>,
    { ca: authorities, cert: pem, key: pem, passphrase: text, ...own },
    {
      pfx: `give 'cert' and 'key', as PEM`,
      rejectUnauthorized: 'dangerouslySkipVerify' in own ? 'dangerouslySkipVerify' : CHECKED,
    },
  );
}
