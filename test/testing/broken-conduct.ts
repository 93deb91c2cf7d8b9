import { concatMap, Observable } from 'rxjs';
import { systemClock, type Status } from 'sluice';
import type { Bench } from 'sluice/testing';
import { currentScope, withScope, type SourceHandle } from '../../src/connection/scope.js';
import type { TinyBroker } from './tiny-broker.js';
import type { TinyOptions } from './tiny-connector.js';
import { altered, source, tooEarly, twice, type Broken, type Bytes, type Source } from './broken-bench.js';

/** What has a port, and as much bad manners as it takes to show. */
const SERVES = { features: { exposesServer: true }, maxMessages: 100 } satisfies TinyOptions;

/** Tells of steps of its own. */
const tells =
  (steps: (at: Status) => readonly Status[]) =>
  (right: Source): Source =>
  (channel, options) =>
    new Observable((output) => {
      const outer = currentScope();
      const addSource = (of: SourceHandle): void =>
        outer?.addSource(Object.create(of, { status$: { value: of.status$.pipe(concatMap(steps)) } }) as SourceHandle);
      return withScope({ ...outer, addSource }, () => right(channel, options).subscribe(output));
    });

/** Mistakes in how failures, secrets, memory and reports are dealt with. */
export const BROKEN_CONDUCT: readonly Broken[] = [
  [
    'reads bytes as text',
    'ERR-03',
    /others are given up/,
    { wrap: source((right) => (channel, options) => altered(right(channel, options), asText)) },
  ],
  [
    'passes on more than it counts',
    'OBS-01',
    /emitted/,
    { wrap: source((right) => (channel, options) => altered(right(channel, options), twice)) },
  ],
  [
    'acks before it hands out',
    'ERR-05',
    /tried some times/,
    { wrap: source((right) => (channel, options) => altered(right(channel, options), tooEarly)) },
  ],
  [
    'leaves a peer of bad manners connected',
    'ERR-06',
    /peers that were left open/,
    { ...SERVES, wrap: (bench) => ({ ...bench, raw: () => Promise.resolve('open') }) },
  ],
  [
    'ends with a peer of bad manners',
    'ERR-06',
    /others that were lost/,
    {
      ...SERVES,
      wrap: (bench, broker) => ({
        ...bench,
        raw() {
          broker.cut();
          return Promise.resolve('closed');
        },
      }),
    },
  ],
  ['proves less than applies to it', 'SEC-01', /not proven/, { wrap: (bench) => ({ ...bench, defaults: {} }) }],
  [
    'keeps a block for each message',
    'RES-02',
    /it grew by/,
    { soakMs: 300, wrap: source((right) => (channel, options) => altered(right(channel, options), hoarder())) },
  ],
  [
    'says that it is connected while it connects',
    'OBS-02',
    /steps off the walk/,
    { wrap: source(tells((at) => (at === 'connecting' ? ['connected'] : [at]))) },
  ],
  [
    'keeps a step to itself',
    'OBS-02',
    /not reported: expected , got connected,degraded degraded,connected/,
    { wrap: source(tells((at) => (at === 'connected' ? [at, 'degraded', at] : [at]))) },
  ],
  [
    'takes its own lateness for the death of its peer',
    'OBS-04',
    /connection is kept/,
    { clock: 'real', features: { peerDetectMs: 300 }, wrap: impatient },
  ],
];

function asText(message: Bytes, emit: (message: Bytes) => void): void {
  emit(message.with(new TextEncoder().encode(new TextDecoder().decode(message.payload))));
}

/** Keeps something for each message, for good. */
function hoarder(): (message: Bytes, emit: (message: Bytes) => void) => void {
  const kept: Uint8Array[] = [];
  return (message, emit) => {
    kept.push(new Uint8Array(65_536).fill(1));
    emit(message);
  };
}

/** Looks at the clock for itself, and hangs up where it comes late to do so. */
function impatient(bench: Bench, broker: TinyBroker): Bench {
  let seenMs = systemClock.elapsed();
  const look = (): void => {
    if (systemClock.elapsed() - seenMs > 300) broker.cut();
    seenMs = systemClock.elapsed();
    cancel = systemClock.timer(100, look);
  };
  let cancel = systemClock.timer(100, look);
  return { ...bench, close: () => cancel() };
}
