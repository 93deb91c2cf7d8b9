import { config } from 'rxjs';
import type { Cancel } from '../clock.js';

/** What went wrong where nobody looked, and how to stop looking. */
export interface Strays {
  readonly found: readonly string[];
  readonly restore: Cancel;
}

/** As much of Node's `process` as is looked at, where there is one. */
interface Host {
  on(event: 'unhandledRejection', listener: (reason: unknown) => void): unknown;
  off(event: 'unhandledRejection', listener: (reason: unknown) => void): unknown;
}

/**
 * Signals after the end, errors nobody handled, promises that were rejected and nobody waited for: all of them are
 * dropped, or end the process, unless somebody asks.
 *
 * @internal
 */
export function watchStrays(): Strays {
  const found: string[] = [];
  const former = { onStoppedNotification: config.onStoppedNotification, onUnhandledError: config.onUnhandledError };
  config.onStoppedNotification = ({ kind }) => void found.push(`a signal after the end (${kind})`);
  config.onUnhandledError = (error: unknown) => void found.push(`an unhandled error: ${String(error)}`);
  const { process } = globalThis as { readonly process?: Partial<Host> };
  const rejected = (reason: unknown): void => void found.push(`an unhandled rejection: ${String(reason)}`);
  process?.on?.('unhandledRejection', rejected);
  return {
    found,
    restore() {
      Object.assign(config, former);
      process?.off?.('unhandledRejection', rejected);
    },
  };
}
