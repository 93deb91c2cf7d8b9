import { setTimeout as pause } from 'node:timers/promises';
import { filter, firstValueFrom, type Observable } from 'rxjs';
import type { Status } from 'sluice';
import type { FaultProxy } from 'sluice/testing-node';
import type { Fault } from './chaos.js';

/** How often which fault of the network comes. */
export interface NetworkFaults {
  readonly resets?: number;
  readonly ends?: number;
  readonly halfOpens?: number;
  /** The status of every connection that goes through the proxy. */
  readonly links: readonly Observable<Status>[];
  /** Told how long it took until each of them that had become half-open was given up. */
  readonly noticed?: (ms: number) => void;
}

/** Faults between all clients of a run and their far side. */
export function networkFaults(proxy: FaultProxy, options: NetworkFaults): Fault[] {
  const { resets = 0, ends = 0, halfOpens = 0, links, noticed } = options;
  const cut = async (how: () => void): Promise<void> => {
    const { accepted } = proxy;
    how();
    // Cut again before somebody is back, it would be the same cut.
    while (proxy.accepted === accepted) await pause(5);
  };
  return [
    { name: 'reset', times: resets, run: () => cut(() => proxy.rst()) },
    { name: 'orderly end', times: ends, run: () => cut(() => proxy.fin()) },
    {
      name: 'half-open',
      times: halfOpens,
      async run() {
        const open: Observable<Status>[] = [];
        for (const status$ of links) if (isUp(await firstValueFrom(status$))) open.push(status$);
        const givenUp = open.map((status$) => firstValueFrom(status$.pipe(filter((status) => !isUp(status)))));
        const fromMs = performance.now();
        proxy.blackhole();
        await Promise.all(givenUp);
        noticed?.(performance.now() - fromMs);
        proxy.heal();
        // Who dialled into the hole would wait for an answer that vanished.
        proxy.rst();
      },
    },
  ];
}

const isUp = (status: Status): boolean => status === 'connected' || status === 'degraded';
