const NAMES = /^(localhost|.*\.localhost|127(\.\d+){3}|\[?::1\]?|::ffff:127(\.\d+){3})$/i;

/** True for the name or address of this machine, of a URL or a socket: what goes there crosses no network. @internal */
export function isLoopback(host: string): boolean {
  return NAMES.test(host);
}
