import { watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Cancel } from '../clock.js';

/**
 * Calls `changed` when something happens to the file or to a name that begins like it. Only a hint that comes sooner than
 * the next poll: where the system cannot watch, there are none.
 *
 * @internal
 */
export function watchFile(path: string, changed: () => void): Cancel {
  try {
    const watcher = watch(dirname(path), { persistent: false }, (_event, name) => {
      if (name === null || name.startsWith(basename(path))) changed();
    });
    watcher.on('error', () => watcher.close());
    return () => watcher.close();
  } catch {
    return () => undefined;
  }
}
