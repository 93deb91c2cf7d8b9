import type { Bench } from 'sluice/testing';
import type { FaultProxy } from 'sluice/testing-node';
import type { StallProxy } from './stall-proxy.js';

/** The faults of the network that a proxy between both ends can bring; with another one behind it, a far side that stalls. */
export function netOf(proxy: FaultProxy, stalling?: StallProxy) {
  return {
    cut: (how) => (how === 'rst' ? proxy.rst() : proxy.fin()),
    refuse: () => proxy.refuse(),
    blackhole: (direction) => proxy.blackhole(direction),
    latency: (ms, jitterMs) => proxy.latency(ms, jitterMs),
    slice: (bytes) => proxy.slice(bytes),
    limit: (bytes) => proxy.limit(bytes),
    heal() {
      proxy.heal();
      stalling?.heal();
    },
    ...(stalling === undefined ? {} : { stall: () => stalling.stall() }),
  } satisfies Bench['net'];
}
