import type { Status } from './status.js';

/**
 * Which message an event speaks of. Never its payload.
 *
 * @see SluiceEvent
 */
export interface MessageFacts {
  readonly id: string;
  readonly topic: string;
  readonly attempt: number;
  /** The last stage that held it; empty when no stage of ours did. */
  readonly stage: string;
}

/**
 * Everything the library reports, as one closed union by `type`. Each event names the connector and, where there is
 * one, the name its user gave it. No event carries a payload or a header.
 *
 * @see observe
 */
export type SluiceEvent =
  | {
      readonly type: 'status.changed';
      readonly connector: string;
      readonly from: Status;
      readonly to: Status;
      readonly reason?: unknown;
    }
  | {
      readonly type: 'connect.failed';
      readonly connector: string;
      readonly attempt: number;
      readonly retryInMs: number;
      readonly reason: unknown;
    }
  /**
   * Messages travel to another machine unencrypted, and nobody said that they may (`dangerouslyAllowPlainText`), or to one whose
   * certificate is not looked at (`dangerouslySkipVerify`). Once per link.
   */
  | {
      readonly type: 'connection.insecure';
      readonly connector: string;
      readonly host: string;
      readonly cause: 'plaintext' | 'unverified';
    }
  | {
      readonly type: 'message.nacked';
      readonly connector: string;
      readonly message: MessageFacts;
      readonly then: 'requeue' | 'dead' | 'drop';
      readonly reason: unknown;
    }
  /** A settlement that came second, or after the source took the message back. `first` is empty in the latter case. */
  | {
      readonly type: 'message.late';
      readonly connector: string;
      readonly message: MessageFacts;
      readonly first: string;
      readonly second: string;
    }
  /** Still unsettled after `settleWithinMs`; the facts name the stage that holds it. */
  | {
      readonly type: 'message.overdue';
      readonly connector: string;
      readonly message: MessageFacts;
      readonly ageMs: number;
    }
  | {
      readonly type: 'message.released';
      readonly connector: string;
      readonly message: MessageFacts;
      readonly reason: unknown;
    }
  /**
   * Given up under a named overflow policy, or `stopped`: its source was, and nobody brings it again. It was settled and
   * counted: `count` so far, with what was nacked as `drop`.
   */
  | { readonly type: 'message.overflowed'; readonly connector: string; readonly policy: string; readonly count: number }
  /** The sink resends what was unconfirmed when its link was lost. */
  | { readonly type: 'sink.resent'; readonly connector: string; readonly count: number }
  /** A handler or stage threw where it must not; the message it held was nacked. */
  | { readonly type: 'stage.failed'; readonly stage: string; readonly reason: unknown }
  /** A flow that `run` started ended with this error. */
  | { readonly type: 'flow.failed'; readonly flow: string; readonly reason: unknown }
  /** The event loop stood still for so long, a handler computed: timers, heartbeats and every other flow had to wait. */
  | { readonly type: 'loop.blocked'; readonly flow: string; readonly lateMs: number }
  /** What a source reads was replaced, cut or removed under it, while it stood at `position`. */
  | {
      readonly type: 'source.moved';
      readonly connector: string;
      readonly topic: string;
      readonly cause: 'rotated' | 'truncated' | 'deleted' | 'replaced';
      readonly position: number;
    }
  /** The far side forgets the subscription of `name` while it is away, and so what is sent meanwhile. */
  | { readonly type: 'session.volatile'; readonly connector: string; readonly name: string; readonly reason: string }
  /** The far side had forgotten it: what it kept for `name` is lost. */
  | { readonly type: 'session.lost'; readonly connector: string; readonly name: string }
  | {
      readonly type: 'peer.slow';
      readonly connector: string;
      readonly peer: string;
      readonly policy: string;
      readonly dropped: number;
    };
