/** How a partition is found: for these bytes of a key, among so many partitions. */
export type KafkaPartitioner = (key: Uint8Array, partitions: number) => number;

const SEED = 0x9747b28c;
const M = 0x5bd1e995;
const R = 24;

/**
 * The partition that Java's client and its relatives give a key: murmur2 of its bytes, made positive, modulo the number
 * of partitions. Producers in different languages then keep one key in one partition.
 *
 * Source: Apache Kafka 4.1, `BuiltInPartitioner.partitionForKey`, `Utils.murmur2`.
 *
 * @internal
 */
export const partitionForKey: KafkaPartitioner = (key, partitions) => (murmur2(key) & 0x7fffffff) % partitions;

/** A signed number of 32 bits. @internal */
export function murmur2(bytes: Uint8Array): number {
  const { length } = bytes;
  let hash = SEED ^ length;
  const whole = length & ~3;
  for (let at = 0; at < whole; at += 4) {
    const word =
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    const mixed = Math.imul(word, M);
    hash = Math.imul(hash, M) ^ Math.imul(mixed ^ (mixed >>> R), M);
  }
  let rest = 0;
  for (let at = length - 1; at >= whole; at -= 1) rest = (rest << 8) | (bytes[at] as number);
  if (length > whole) hash = Math.imul(hash ^ rest, M);
  hash = Math.imul(hash ^ (hash >>> 13), M);
  return hash ^ (hash >>> 15);
}
