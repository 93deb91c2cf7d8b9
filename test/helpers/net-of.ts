import type { Bench } from 'sluice/testing';
import type { FaultProxy } from 'sluice/testing-node';

/** The faults of the network that a proxy between both ends can bring. */
export function netOf(proxy: FaultProxy) {
  return {
    cut: (how) => (how === 'rst' ? proxy.rst() : proxy.fin()),
    refuse: () => proxy.refuse(),
    blackhole: (direction) => proxy.blackhole(direction),
    latency: (ms, jitterMs) => proxy.latency(ms, jitterMs),
    slice: (bytes) => proxy.slice(bytes),
    limit: (bytes) => proxy.limit(bytes),
    heal: () => proxy.heal(),
  } satisfies Bench['net'];
}
