import type { Sink } from 'sluice';
import type { Bench } from 'sluice/testing';
import { until } from './until.js';
import { give } from './websocket.js';

/** What {@link secureDefaults} tries. */
export interface Defaults {
  /** A sink with no option that says how large a message may be. */
  readonly sink: () => Sink<Uint8Array>;
  /** The largest one that it takes. */
  readonly maxBytes: number;
  /** Makes a link to another machine, with this password and no encryption. */
  readonly farLink: (password: string) => unknown;
}

/** The rows of the secure defaults that every client of a broker with passwords has. */
export function secureDefaults({ sink, maxBytes, farLink }: Defaults) {
  return {
    async 'message limit'() {
      const opened = sink();
      const { outcomes } = give(opened, new Uint8Array(maxBytes + 1), new Uint8Array(64 * 1024));
      await until(() => {
        if (outcomes.length < 2) throw new Error('both have an end');
      });
      opened.complete();
      expectIn(outcomes.join(), 'dead PAYLOAD_TOO_LARGE,ack');
    },
    'transport security': () =>
      expectIn(
        refusal(() => farLink('word')),
        'dangerouslyAllowPlainText',
      ),
    secrets() {
      const said = refusal(() => farLink('canary-password'));
      if (said === '' || said.includes('canary-password')) throw new Error(`It said: ${said}`);
    },
  } satisfies Bench['defaults'];
}

/** What is said by whoever refuses to make it; empty where nobody does. */
export function refusal(make: () => unknown): string {
  try {
    make();
  } catch (error) {
    return String(error);
  }
  return '';
}

/** Throws unless the text has the part. */
export function expectIn(text: string, part: string): void {
  if (!text.includes(part)) throw new Error(`'${part}' is missing in: ${text}`);
}
