import { toSluiceError } from '../errors.js';
import type { Message } from '../message/message.js';
import { report } from '../observability/observe.js';

/**
 * What becomes of a message on which a sink threw: it is nacked, unless the sink had settled it before. The failure is
 * reported in both cases, as the nack of a settled message tells nobody why.
 *
 * @internal
 */
export function sinkThrew(message: Message<unknown>, stage: string, error: unknown): void {
  const reason = toSluiceError(error, 'SINK_FAILED', `The sink of ${stage} threw`);
  report({ type: 'stage.failed', stage, reason });
  message.nack(reason);
}
