import type { Flow } from 'sluice';
import { thousands, verdict } from './compare.js';
import { settings } from './settings.js';

const MIB = 1_048_576;
/** How large the messages are. */
export const STOPPED_BYTES = 1_024;

/** What a broker has for a handler that never settles anything. */
export interface Stopped {
  /** Told from another case of the same file. */
  readonly at?: string;
  readonly credit: number;
  /** So many messages of 1 KiB are offered. */
  readonly offered: number;
  /** What may be fetched and wait beyond the credit, by the source's own options. */
  readonly fetchedBytes: number;
  /** Opens a source with that credit, once the messages are there. */
  open(): Promise<Flow<Uint8Array>>;
}

/** Looks at the memory of the process while a handler holds all that the credit allows and settles nothing. */
export async function stoppedHandler({ at = '', credit, offered, fetchedBytes, open }: Stopped): Promise<void> {
  const title = `memory with a handler that has stopped, 1 KiB${at}`;
  if (settings.only !== undefined && !title.includes(settings.only)) return;
  const bound = credit * STOPPED_BYTES + fetchedBytes + 64 * MIB;
  const flow = await open();
  const before = used();
  const held: unknown[] = [];
  const subscription = flow.subscribe((message) => void held.push(message));
  let most = { resident: -Infinity, kept: -Infinity };
  for (let second = 0; second < (settings.quick ? 5 : 20); second += 1) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const { resident, kept } = used();
    most = {
      resident: Math.max(most.resident, resident - before.resident),
      kept: Math.max(most.kept, kept - before.kept),
    };
  }
  console.log(`\n${title}: ${held.length} of ${thousands(offered)} held`);
  const mib = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`;
  verdict({
    title,
    met: held.length === credit && Math.max(most.resident, most.kept) <= bound,
    seen: `${mib(most.kept)} kept, ${mib(most.resident)} resident`,
    wanted: `at most ${mib(bound)} more`,
  });
  subscription.unsubscribe();
}

/** Resident, which what was there before may hide, and kept: what is left when all garbage is gone. */
function used(): { readonly resident: number; readonly kept: number } {
  globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { resident: rss, kept: heapUsed + external };
}
