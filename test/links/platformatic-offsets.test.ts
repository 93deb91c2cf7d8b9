import { expect, it } from 'vitest';
import type { PlatformaticCluster } from '../../src/links/platformatic-cluster.js';
import { EARLIEST, LATEST, offsetsAt } from '../../src/links/platformatic-offsets.js';

interface Asked {
  readonly partitionIndex: number;
  readonly timestamp: bigint;
}

/** A cluster of one partition whose messages are of these times, and which is written to after each question. */
function written(timesMs: number[], comesMs?: number): { readonly cluster: PlatformaticCluster; asked: bigint[] } {
  const asked: bigint[] = [];
  const offsetOf = (timestamp: bigint): number => {
    if (timestamp === BigInt(EARLIEST)) return 0;
    return timestamp === BigInt(LATEST) ? timesMs.length : timesMs.findIndex((timeMs) => BigInt(timeMs) >= timestamp);
  };
  const api = {
    async async(_to: object, _replica: number, _isolation: number, topics: { readonly partitions: Asked[] }[]) {
      const partitions = (topics[0]?.partitions ?? []).map(({ partitionIndex, timestamp }) => {
        asked.push(timestamp);
        return { partitionIndex, offset: BigInt(offsetOf(timestamp)) };
      });
      if (comesMs !== undefined) timesMs.push(comesMs);
      return { topics: [{ partitions }] };
    },
  };
  const cluster = {
    client: { listOffsetsV7: { api } },
    leaderOf: async () => 1,
    at: async () => ({ ask: (work: (to: object) => unknown) => Promise.resolve(work({})) }),
  };
  return { cluster: cluster as unknown as PlatformaticCluster, asked };
}

it('gives the first message at or after a time, and where there is none the next one', async () => {
  const { cluster, asked } = written([10, 20, 30]);
  expect([...(await offsetsAt(cluster, 'a', [0], 20))]).toEqual([[0, 1]]);
  expect([...(await offsetsAt(cluster, 'a', [0], 40))]).toEqual([[0, 3]]);
  asked.length = 0;
  expect([...(await offsetsAt(cluster, 'a', [0], EARLIEST))]).toEqual([[0, 0]]);
  expect([...(await offsetsAt(cluster, 'a', [0], LATEST))]).toEqual([[0, 3]]);
  expect(asked).toHaveLength(2);
});

it('leaves out no message that comes while it asks', async () => {
  const { cluster } = written([10, 20], 50);
  expect([...(await offsetsAt(cluster, 'a', [0], 40))]).toEqual([[0, 2]]);
});
