/** When which message was settled, and which settlements the far side may not know of. */
export interface Settlements {
  settled(id: string): void;
  /** What is settled from `fromMs` on may be unknown to the far side, until the returned function is called. */
  doubt(fromMs: number): () => void;
  isDoubtful(id: string): boolean;
}

/** Keeps the time of the last settlement of each message, by `performance.now()`. */
export function settlements(): Settlements {
  const settledMs = new Map<string, number>();
  const doubts: { readonly fromMs: number; toMs: number }[] = [];
  return {
    settled: (id) => void settledMs.set(id, performance.now()),
    doubt(fromMs) {
      const doubt = { fromMs, toMs: Infinity };
      doubts.push(doubt);
      return () => void (doubt.toMs = performance.now());
    },
    isDoubtful(id) {
      const atMs = settledMs.get(id);
      return atMs !== undefined && doubts.some(({ fromMs, toMs }) => atMs >= fromMs && atMs <= toMs);
    },
  };
}
