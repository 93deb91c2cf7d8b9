import { configInvalid } from '../options.js';
import { isLoopback } from './loopback.js';

/** Over what a link gets to a far side. @internal */
export interface Way {
  /** Whether nobody on the way can read what travels. */
  readonly isSecure: boolean;
  readonly hosts: readonly string[];
  /** The option of this name, in which the user said that it may be read. */
  readonly dangerouslyAllowPlainText: boolean | undefined;
}

/** How credentials would get there. @internal */
export interface CredentialsOnTheWay extends Way {
  /** Whether there are any to protect. */
  readonly areSent: boolean;
}

/** Throws CONFIG_INVALID for what {@link plainTextFault} finds. @internal */
export function refusePlainText(owner: string, way: CredentialsOnTheWay, option: string, cure: string): void {
  const fault = plainTextFault(way, option, cure);
  if (fault !== undefined) throw configInvalid(owner, [fault]);
}

/**
 * What is wrong where credentials would cross a network in the clear, to be told with the other faults. `option` is the one
 * to look at, `cure` what to use in its place or beside it.
 *
 * @internal
 */
export function plainTextFault(way: CredentialsOnTheWay, option: string, cure: string): string | undefined {
  if (!way.areSent || way.isSecure || way.dangerouslyAllowPlainText === true) return undefined;
  const other = way.hosts.find((host) => !isLoopback(host));
  if (other === undefined) return undefined;
  return `'${option}': credentials would travel unencrypted to ${other}; use ${cure}, or set dangerouslyAllowPlainText`;
}
