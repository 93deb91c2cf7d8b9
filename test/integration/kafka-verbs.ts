import type { Verb } from 'sluice/testing';

/** What a bench over a Kafka can do. */
export interface KafkaVerbs {
  readonly can: readonly Verb[];
  /** Why it cannot do more. */
  readonly lacks?: string;
}

/** For those who come back through the proxy, whatever the cluster tells them. */
const BEHIND_PROXY: readonly Verb[] = [
  ...(['net.cut', 'net.refuse', 'net.blackhole', 'net.latency', 'net.slice', 'net.limit', 'net.heal'] as const),
  ...(['net.stall', 'peek.opened', 'peek.open'] as const),
];
const ANYWHERE: readonly Verb[] = ['unbound', 'copy', 'proc.crash', 'proc.hold', 'defaults'];
const OF_ITS_OWN: readonly Verb[] = ['broker.stop', 'broker.start', 'broker.kill', 'broker.restart'];

/**
 * What a bench can do over a Kafka that was found this way.
 *
 * @param how where it comes from, as `findKafka` says
 * @param isOwn whether the test may end it, and it is a real one
 */
export function kafkaVerbs(how: string, isOwn: boolean, canMakeCertificates: boolean): KafkaVerbs {
  if (!isOwn) return { can: [], lacks: `${how}: it is neither ended nor started, and sends clients past a proxy` };
  const can = [...ANYWHERE, ...OF_ITS_OWN];
  if (!canMakeCertificates) return { can: [...BEHIND_PROXY, ...can], lacks: 'openssl is not installed' };
  return { can: [...BEHIND_PROXY, ...can, 'auth.deny', 'auth.grant'] };
}
