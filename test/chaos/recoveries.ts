import type { Flow, Sink } from 'sluice';
import type { FaultProxy } from 'sluice/testing-node';
import { expect } from 'vitest';
import { lasts } from '../helpers/lasts.js';
import { type Stream, streamed } from '../helpers/streamed.js';
import { until } from '../helpers/until.js';

const OUTAGES = 5;

/** Somebody who reads over a way that breaks, and what he reads is written over one that does not: he is what is measured. */
export interface Recovering {
  readonly source: Flow<unknown>;
  readonly sink: Sink<Uint8Array>;
}

interface Reading {
  readonly seen: () => number;
  readonly stream: Stream;
  stop(): Promise<void>;
}

/** How long they took, shortest first. */
export interface Recoveries {
  readonly tookMs: readonly number[];
  /** So long at most, 99 times of a hundred. */
  readonly p99Ms: number;
  readonly text: string;
}

/**
 * Takes the way from all of them, for a second longer each time, and tells how long each of them was without a message
 * once it was there again; `busy` ones are sent some all the time, `idle` ones one when the way is there.
 */
export async function recoveries(
  proxy: FaultProxy,
  how: 'idle' | 'busy',
  channels: readonly Recovering[],
): Promise<Recoveries> {
  const readers = channels.map(reading);
  try {
    return told(how, await outages(proxy, how, readers));
  } finally {
    for (const { stop } of readers) await stop();
  }
}

function reading({ source, sink }: Recovering): Reading {
  let seen = 0;
  const subscription = source.subscribe((message) => {
    seen += 1;
    message.ack();
  });
  const stream = streamed(sink);
  return {
    seen: () => seen,
    stream,
    async stop() {
      subscription.unsubscribe();
      await stream.end();
    },
  };
}

async function outages(proxy: FaultProxy, how: 'idle' | 'busy', readers: readonly Reading[]): Promise<number[]> {
  const tookMs: number[] = [];
  for (const { stream } of readers) stream.send(1);
  await until(() => expect(readers.every(({ seen }) => seen() > 0)).toBe(true));
  if (how === 'busy') for (const { stream } of readers) stream.keepOn(50);
  for (let outage = 0; outage < OUTAGES; outage += 1) {
    proxy.refuse();
    proxy.rst();
    await lasts(1_000 + outage * 1_000);
    const before = readers.map(({ seen }) => seen());
    proxy.heal();
    const fromMs = performance.now();
    if (how === 'idle') for (const { stream } of readers) stream.send(1);
    await Promise.all(
      readers.map(async ({ seen }, at) => {
        await until(() => expect(seen()).toBeGreaterThan(before[at] ?? 0));
        tookMs.push(performance.now() - fromMs);
      }),
    );
  }
  return tookMs;
}

function told(how: string, unsorted: readonly number[]): Recoveries {
  const tookMs = unsorted.toSorted((a, b) => a - b);
  const at = (share: number): number => tookMs[Math.floor(tookMs.length * share)] ?? Infinity;
  const p99Ms = at(0.99);
  const text = `${how}: ${tookMs.length} times back, median ${Math.round(at(0.5))} ms, p99 ${Math.round(p99Ms)} ms`;
  return { tookMs, p99Ms, text };
}
