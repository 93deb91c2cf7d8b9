import { configInvalid } from '../options.js';
import { isLoopback } from './loopback.js';

/** How credentials would get to a far side. @internal */
export interface CredentialsOnTheWay {
  /** Whether there are any to protect. */
  readonly areSent: boolean;
  /** Whether nobody on the way can read them. */
  readonly isSecure: boolean;
  readonly hosts: readonly string[];
  /** The option of this name, in which the user said that they may be read. */
  readonly dangerouslyAllowPlainText: boolean | undefined;
}

/**
 * Throws CONFIG_INVALID for credentials that would cross a network in the clear. `option` is the one to look at, `cure` what
 * to use in its place or beside it.
 *
 * @internal
 */
export function refusePlainText(owner: string, way: CredentialsOnTheWay, option: string, cure: string): void {
  if (!way.areSent || way.isSecure || way.dangerouslyAllowPlainText === true) return;
  const other = way.hosts.find((host) => !isLoopback(host));
  if (other === undefined) return;
  throw configInvalid(owner, [
    `'${option}': credentials would travel unencrypted to ${other}; use ${cure}, or set dangerouslyAllowPlainText`,
  ]);
}
