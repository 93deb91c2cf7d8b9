import { setTimeout as pause } from 'node:timers/promises';

const PER_BURST = 30;
const BURST_MS = 10;

/** `partition number` as bytes, the numbers of each partition in their order, at some 3,000 a second until it is told to stop. */
export interface PacedNumbers extends AsyncIterable<Uint8Array> {
  /** The highest number so far, by partition. */
  readonly written: readonly number[];
  stop(): void;
}

/** Begins with 1 in each of so many partitions. */
export function pacedNumbers(partitions: number): PacedNumbers {
  const utf8 = new TextEncoder();
  const written = Array.from({ length: partitions }, () => 0);
  let isOver = false;
  return {
    written,
    stop: () => void (isOver = true),
    async *[Symbol.asyncIterator]() {
      while (!isOver) {
        for (let at = 0; at < PER_BURST; at += 1) {
          const partition = at % partitions;
          yield utf8.encode(`${partition} ${(written[partition] = (written[partition] ?? 0) + 1)}`);
        }
        await pause(BURST_MS);
      }
    },
  };
}
