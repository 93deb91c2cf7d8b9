import type { Stage } from '../connection/flow.js';
import { type Envelope, mark } from '../message/envelope.js';
import type { Message } from '../message/message.js';
import { Fork, Join } from '../message/settlement.js';
import { defineStage } from './define-stage.js';

/**
 * The members of each list as messages of their own. Behind a `batch` every member gets its own settlement back, so that
 * one can fail alone; payloads may have been changed in between as long as the list kept its length. Any other list is
 * split: its message is acked when all its members were, and nacked by the first nack. An empty list acks its message.
 *
 * @example
 * import { batch, each, unbatch } from 'sluice';
 * orders.pipe(batch({ size: 100, maxWaitMs: 50 }), each(priceAll), unbatch());
 * @see batch
 * @see fork
 */
export function unbatch<T>(): Stage<readonly T[], T> {
  return defineStage('unbatch', (output) => ({
    next(message) {
      mark(message, 'unbatch');
      const { root } = message as Envelope<readonly T[]>;
      const { payload, topic, headers } = message;
      const { settler } = root;
      if (settler instanceof Join && settler.messages.length === payload.length) {
        // Nobody settles the joined one any more: its members answer for themselves.
        root.release();
        const members = [...settler.messages] as Message<unknown>[];
        const changed = topic !== root.topic || headers !== root.headers;
        members.forEach((member, at) => {
          output.next(member.with(payload[at] as T, changed ? { topic, headers } : undefined));
        });
        return;
      }
      const parts = new Fork(message);
      const all = payload.map((item) => parts.add(item));
      parts.seal('empty');
      for (const part of all) output.next(part);
    },
  }));
}
