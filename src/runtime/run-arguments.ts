import type { Flow, Sink } from '../connection/flow.js';
import {
  checkArgument,
  checkOptions,
  clockLike,
  either,
  flowLike,
  numeric,
  signalLike,
  sinkLike,
  someOptions,
  text,
} from '../options.js';
import type { RunOptions } from './running.js';

const SINK_OR_OPTIONS = either(sinkLike, someOptions);

/**
 * What `run` was called with: a flow, the sink that it runs `into` where it emits something, and options.
 *
 * @throws SluiceError `CONFIG_INVALID` for what is no flow, no sink, or an option out of range
 * @internal
 */
export function runArguments<T>(
  flow: Flow<T>,
  to: Sink<T> | RunOptions = {},
  rest: RunOptions = {},
): { into: Sink<T> | undefined; options: RunOptions } {
  checkArgument('run', 'flow', flow, flowLike);
  checkArgument('run', 'sink', to, SINK_OR_OPTIONS);
  const [into, options] = 'next' in Object(to) ? [to as Sink<T>, rest] : [undefined, to as RunOptions];
  if (into !== undefined) checkArgument('run', 'sink', into, sinkLike);
  checkOptions<RunOptions>('run', options, {
    name: text,
    signal: signalLike,
    drainTimeoutMs: numeric(0),
    healthEveryMs: numeric(1),
    clock: clockLike,
  });
  return { into, options };
}
