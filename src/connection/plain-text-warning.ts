import { report } from '../observability/observe.js';
import { isLoopback } from './loopback.js';
import type { CredentialsOnTheWay } from './refuse-plain-text.js';

/**
 * Gives what each try to connect is told to: it reports, once per link, that messages cross a network in the clear, unless
 * the user said that they may. Credentials are not warned about but refused before.
 *
 * @internal
 */
export function plainTextWarning(connector: string): (way: Omit<CredentialsOnTheWay, 'areSent'>) => void {
  let isTold = false;
  return ({ isSecure, hosts, dangerouslyAllowPlainText }) => {
    if (isTold || isSecure || dangerouslyAllowPlainText === true) return;
    const host = hosts.find((one) => !isLoopback(one));
    if (host === undefined) return;
    isTold = true;
    report({ type: 'connection.plaintext', connector, host });
  };
}
