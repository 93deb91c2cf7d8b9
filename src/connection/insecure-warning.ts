import { report } from '../observability/observe.js';
import { isLoopback } from './loopback.js';
import type { Way } from './refuse-plain-text.js';

/** Over what messages get there. */
interface MessagesOnTheWay extends Way {
  /** The other side may be anybody: its certificate is not looked at. */
  readonly isUnverified?: boolean | undefined;
}

/**
 * Gives what each try to connect is told to: it reports, once per link, that messages cross a network in the clear, unless
 * the user said that they may, or that they may go to anybody. Credentials in the clear are not warned about but refused before.
 *
 * @internal
 */
export function insecureWarning(connector: string): (way: MessagesOnTheWay) => void {
  let isTold = false;
  return ({ isSecure, isUnverified = false, hosts, dangerouslyAllowPlainText }) => {
    const host = hosts.find((one) => !isLoopback(one));
    const isFine = isSecure ? !isUnverified : dangerouslyAllowPlainText === true;
    if (isTold || isFine || host === undefined) return;
    isTold = true;
    report({ type: 'connection.insecure', connector, host, cause: isSecure ? 'unverified' : 'plaintext' });
  };
}
