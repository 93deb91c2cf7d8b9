import type { Clock } from '../clock.js';
import { configInvalid } from '../options.js';

/** One subscription's hold on a session. @internal */
export interface MqttClaim {
  readonly clientId: string;
  /** A connection of it was open before, so the broker should still know it. */
  hasOpened: boolean;
  /** Resolves once whoever had the session before has left it. */
  readonly free: Promise<void> | undefined;
  /** Nothing more is wanted of the session; its connection still stands. */
  leaving(): void;
  /** Its connection is closed. */
  left(): void;
}

interface Holder {
  /** What it is subscribed to: only who wants the same may stand beside it. */
  readonly topics: string;
  readonly gone: Promise<void>;
  isLeaving: boolean;
}

/**
 * Who has which session of a link. A broker knows a session by its client identifier and throws its former client out when
 * another one connects, so two subscriptions must never have the same: they would take it from each other for ever.
 *
 * @internal
 */
export class MqttSessions {
  private readonly holders = new Map<string, Holder>();

  /**
   * A session for `topics`: `clientId` itself, or with a number behind it while another subscription of the same topics has
   * it. Who comes after one that is about to leave waits for it, and has its session.
   *
   * @throws SluiceError `CONFIG_INVALID` while a subscription of other topics has it
   */
  claim(clientId: string, topics: string): MqttClaim {
    for (let number = 1; ; number += 1) {
      const id = number === 1 ? clientId : `${clientId}.${number}`;
      const former = this.holders.get(id);
      if (former === undefined || former.isLeaving) return this.hold(id, topics, former?.gone);
      if (former.topics !== topics) {
        throw configInvalid('mqttSource', [
          `'name': the session '${id}' is in use by a source of other topics; give each source of a link a name of its own`,
        ]);
      }
    }
  }

  private hold(clientId: string, topics: string, free: Promise<void> | undefined): MqttClaim {
    let left = (): void => undefined;
    const gone = new Promise<void>((resolve) => (left = resolve));
    const holder: Holder = { topics, gone, isLeaving: false };
    this.holders.set(clientId, holder);
    return {
      clientId,
      hasOpened: false,
      free,
      leaving: () => void (holder.isLeaving = true),
      left: () => {
        if (this.holders.get(clientId) === holder) this.holders.delete(clientId);
        left();
      },
    };
  }
}

/** A client identifier of nobody, for who keeps no session. @internal */
export function randomClientId(clock: Clock): string {
  return `sluice-${Math.floor(clock.random() * 2 ** 52).toString(36)}`;
}
