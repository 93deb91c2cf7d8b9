import type { Supply } from 'sluice/connection';

/** Gives from a list, and takes out of it what it gives. */
export function supplyOf(payloads: string[]): Supply<string> {
  return {
    get isEmpty() {
      return payloads.length === 0;
    },
    take: () => payloads.shift() as string,
  };
}
