import type { Stage } from '../connection/flow.js';
import { SluiceError } from '../errors.js';
import { type Envelope, mark } from '../message/envelope.js';
import { Members } from '../message/members.js';
import type { Message } from '../message/message.js';
import { joinedIn } from '../message/parts.js';
import { Fork, Join } from '../message/settlement.js';
import { defineStage, failed } from './define-stage.js';

/**
 * The members of each list as messages of their own. Behind a `batch` every member gets its own settlement back, so that
 * one can fail alone; payloads may have been changed in between as long as the list kept its length. Any other list is
 * split: its message is acked when all its members were, and nacked by the first nack. An empty list acks its message; what
 * is no list nacks it as `dead` with HANDLER_FAILED.
 *
 * Where a stage in between answers for the batch as a whole (`dedupe`, `deadLetter`, `fanout`, a branch with a budget, work
 * that gave an Observable), members still end each in its own way, but their sources hear of it once all have.
 *
 * @example
 * import { batch, each, unbatch } from 'sluice';
 * orders.pipe(batch({ size: 100, maxWaitMs: 50 }), each((some) => some.map(bill)), unbatch());
 * @see batch
 * @see fork
 */
export function unbatch<T>(): Stage<readonly T[], T> {
  return defineStage('unbatch', (output) => ({
    next(message) {
      mark(message, 'unbatch');
      if (!Array.isArray(message.payload)) {
        failed(message, noList(), 'unbatch', 'dead');
        return;
      }
      for (const member of membersOf(message)) output.next(member);
    },
  }));
}

function noList(): SluiceError {
  return new SluiceError(
    'HANDLER_FAILED',
    'unbatch: the payload is no list. Map it to one, or check it where it is decoded.',
  );
}

function membersOf<T>(message: Message<readonly T[]>): readonly Message<T>[] {
  const { root } = message as Envelope<readonly T[]>;
  const { payload, topic, headers } = message;
  const joined = joinedIn(message);
  if (joined === undefined || joined.length !== payload.length) {
    const parts = new Fork(message);
    const all = payload.map((item) => parts.add(item));
    parts.seal('empty');
    return all;
  }
  const [first] = joined;
  const isChanged = topic !== first?.topic || headers !== first.headers;
  const patch = isChanged ? { topic, headers } : undefined;
  if (root.settler instanceof Join) {
    // Nobody settles the joined one any more: its members answer for themselves.
    root.release();
    return joined.map((member, at) => member.with(payload[at] as T, patch));
  }
  const members = new Members(message, joined);
  const all = payload.map((item, at) => members.take(at, item, patch));
  members.seal();
  return all;
}
