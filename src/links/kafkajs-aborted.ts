import type { Buffer } from 'node:buffer';

/** What a control record says. */
const ABORT = 0;

/** A record as kafkajs has it. */
interface Fetched {
  readonly offset: string;
  readonly key: Buffer | null;
  /** Only brokers read it. */
  isControlRecord: boolean;
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean };
}

/** A part of an answer. */
interface Part {
  abortedTransactions?: readonly { readonly producerId: string; readonly firstOffset: string }[] | null;
  readonly messages: readonly Fetched[];
}

/** The part of a broker that gives messages. */
interface Source {
  fetch: (request: unknown) => Promise<{ readonly responses: readonly { readonly partitions: readonly Part[] }[] }>;
}

const known = new WeakSet<Source>();

/**
 * Has a broker of kafkajs give no message of a transaction that was aborted. The client itself looks for them in the order in
 * which brokers name them, which is that of their ends: what is in one that began before the first of them passes there.
 *
 * Source: Apache Kafka 4.1, `CompletedFetch`; KIP-98.
 *
 * @internal
 */
export function leaveOutAborted(broker: unknown): void {
  const source = broker as Source;
  if (known.has(source)) return;
  known.add(source);
  const fetch = source.fetch.bind(source);
  source.fetch = async (request) => {
    const answer = await fetch(request);
    for (const { partitions } of answer.responses) for (const part of partitions) mark(part);
    return answer;
  };
}

/** As if only brokers read them: the client leaves those out, and goes on behind them. */
function mark(part: Part): void {
  const { abortedTransactions, messages } = part;
  if (abortedTransactions == null || abortedTransactions.length === 0) return;
  part.abortedTransactions = [];
  const waiting = abortedTransactions.toSorted((a, b) => Number(a.firstOffset) - Number(b.firstOffset));
  /** Producers whose transaction here was aborted. */
  const aborting = new Set<string>();
  for (const message of messages) {
    while (waiting[0] !== undefined && Number(waiting[0].firstOffset) <= Number(message.offset))
      aborting.add((waiting.shift() as { producerId: string }).producerId);
    const { producerId, inTransaction } = message.batchContext;
    if (!message.isControlRecord) message.isControlRecord = inTransaction && aborting.has(producerId);
    // Its version comes first.
    else if (message.key?.[3] === ABORT) aborting.delete(producerId);
  }
}
