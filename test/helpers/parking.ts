import type { Message, SourceOptions } from 'sluice';
import { testSource, virtualClock, type TestSource, type VirtualClock } from 'sluice/testing';
import type { Envelope } from '../../src/message/envelope.js';
import type { Parked } from '../../src/message/settler.js';

/** Lets a message wait without credit. */
export function park(
  message: Message<unknown> | undefined,
  back: () => void = () => undefined,
  gone: () => void = () => undefined,
): Parked {
  const { root } = message as Envelope<unknown>;
  return root.settler.park?.(root, { back, gone }) as Parked;
}

/** What a source with these values emits, as it does. */
export function emitted(
  values: string,
  options: Pick<SourceOptions, 'credit' | 'maxAttempts' | 'maxParked'> = {},
): { clock: VirtualClock; source: TestSource<string>; out: Message<string>[]; shown: () => string; stop: () => void } {
  const clock = virtualClock();
  clock.advance(1_000);
  const source = testSource<string>({ clock, ...options });
  const out: Message<string>[] = [];
  const subscription = source.flow.subscribe((message) => out.push(message));
  for (const value of values) source.offer(value);
  clock.advance(0);
  return {
    clock,
    source,
    out,
    shown: () => out.map(({ payload }) => payload).join(''),
    stop: () => subscription.unsubscribe(),
  };
}
