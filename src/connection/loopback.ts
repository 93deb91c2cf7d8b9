const NAMES = /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/i;

/** True for the name of this machine, as a URL has it: what goes there crosses no network. @internal */
export function isLoopback(hostname: string): boolean {
  return NAMES.test(hostname);
}
