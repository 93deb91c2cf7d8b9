/** Who has arrived, and how often, of so many numbered messages. */
export interface Ledger {
  readonly total: number;
  /** Different ones that have arrived. */
  readonly distinct: number;
  /** Arrivals beyond the first. */
  readonly duplicates: number;
  /** The first of those that have not, ten at most. */
  readonly missing: readonly number[];
  /** A message of this payload arrived. */
  see(payload: Uint8Array): void;
}

/** Counts what arrives, made with {@link numbered}. */
export function ledger(total: number): Ledger {
  const times = new Uint16Array(total);
  let distinct = 0;
  let arrivals = 0;
  return {
    total,
    get distinct() {
      return distinct;
    },
    get duplicates() {
      return arrivals - distinct;
    },
    get missing() {
      const absent: number[] = [];
      for (let at = 0; at < total && absent.length < 10; at += 1) if (times[at] === 0) absent.push(at);
      return absent;
    },
    see(payload) {
      const at = numberOf(payload);
      if (times[at] === undefined) throw new Error(`${at} was never sent.`);
      if (times[at] === 0) distinct += 1;
      times[at] += 1;
      arrivals += 1;
    },
  };
}

/** A payload that knows its number. */
export function numbered(number: number, bytes = 4): Uint8Array {
  const payload = new Uint8Array(bytes);
  new DataView(payload.buffer).setUint32(0, number);
  return payload;
}

/** The number of such a payload. */
export function numberOf(payload: Uint8Array): number {
  return new DataView(payload.buffer, payload.byteOffset).getUint32(0);
}

/** The payloads from one number up to another, that one left out. */
export function* numbers(from: number, to: number, bytes?: number): Generator<Uint8Array> {
  for (let at = from; at < to; at += 1) yield numbered(at, bytes);
}
