import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { firstValueFrom, take, toArray } from 'rxjs';
import {
  deadLetter,
  deliver,
  each,
  equals,
  field,
  observe,
  payload,
  route,
  run,
  headerText,
  type Flow,
  type Message,
  type Running,
  type Sink,
  type Stage,
  where,
} from 'sluice';
import { csv } from 'sluice/csv';
import { fileSink, fileSource } from 'sluice/file';
import { webSocketServer } from 'sluice/websocket-server';
import { connectClient, type HubClient } from './clients.js';
import type { HubConfig } from './config.js';
import { lockFolder } from './lock-folder.js';
import { orderOf, type Order } from './order.js';

/** Where a hub reads and writes. */
export interface HubOptions {
  readonly input: string;
  /** Folder of the saved offset and the two output files. */
  readonly state: string;
  /** Begins anew: without those three. */
  readonly fresh: boolean;
  readonly config: HubConfig;
}

/** What became of the rows so far; those written are counted by the sink. */
export interface Tally {
  filtered: number;
  dead: number;
  readonly branches: Record<string, number>;
  /** What slow clients missed at least: it is told each time it has doubled. */
  missed: number;
}

/** A hub at work. */
export interface Hub {
  readonly running: Running;
  readonly tally: Tally;
  readonly clients: readonly HubClient[];
  /** Closes the clients and the server, after the flow has ended. */
  close(): Promise<void>;
}

/**
 * Reads orders from a file, routes them by rule, and sends them to live clients and to a file. Throws where another hub has
 * the folder.
 */
export async function startHub({ input, state, fresh, config }: HubOptions): Promise<Hub> {
  const unlock = lockFolder(state);
  const offsets = join(state, 'offset.json');
  const written = join(state, 'orders.ndjson');
  const dead = join(state, 'dead-letters.ndjson');
  // And nothing else: whoever names a folder may have put more into it.
  if (fresh) for (const path of [offsets, written, dead]) rmSync(path, { force: true });
  // Listed from the start and in their order, whichever comes first.
  const branches = Object.fromEntries(config.classes.map(({ name }) => [name, 0]));
  const tally: Tally = { filtered: 0, dead: 0, branches, missed: 0 };
  const server = await webSocketServer({ port: 0 });
  const url = `ws://127.0.0.1:${server.address.port}`;
  const arrived = firstValueFrom(server.clients$.pipe(take(3), toArray()));
  const clients = [connectClient('fast 1', url, 0), connectClient('fast 2', url, 0), connectClient('slow', url, 25)];
  await arrived;
  const missed = new Map<string, number>();
  const stopObserving = observe((event) => {
    if (event.type !== 'peer.slow') return;
    missed.set(event.peer, event.dropped);
    tally.missed = [...missed.values()].reduce((sum, count) => sum + count, 0);
  });

  const rows: Flow<Readonly<Record<string, unknown>>> = fileSource({
    path: input,
    format: csv({ columns: config.columns }),
    offsets,
    credit: 2_048,
  });
  const branch = (name: string): Stage<Order, Order> =>
    payload((order) => {
      tally.branches[name] = (tally.branches[name] ?? 0) + 1;
      return order;
    });

  const lines = rows.pipe(
    deadLetter(fileSink({ path: dead, onFull: 'wait', record: deadRecord(tally) })),
    payload((row) => orderOf(row, config)),
    where((order) => {
      const kept = order.amount > config.dropUpTo;
      if (!kept) tally.filtered += 1;
      return kept;
    }),
    route(config.classes.map(({ name }) => ({ name, when: field('priority', equals(name)), to: branch(name) }))),
    each((order, { meta }) => enrich(order, meta), {
      concurrency: 64,
      lane: ({ payload: order }) => order.customer,
      name: 'enrich',
    }),
    payload((order) => JSON.stringify(order)),
    deliver(server.broadcast({ overflow: 'drop-oldest', maxQueuedPerClient: 1_024 })),
  );
  const results: Sink<string> = fileSink({
    path: written,
    // A row is not to blame for a full disk: it would be a dead letter after five tries.
    onFull: 'wait',
  });

  return {
    running: run(lines, results, { name: 'orders hub', drainTimeoutMs: 10_000 }),
    tally,
    clients,
    async close() {
      stopObserving();
      for (const client of clients) client.close();
      await server.close();
      unlock();
    },
  };
}

/** Stands for a look-up that takes a moment: what matters is that one customer's orders stay in their order. */
async function enrich(order: Order, meta: unknown): Promise<Order & { readonly row: number }> {
  await Promise.resolve();
  return { ...order, row: (meta as { readonly line: number }).line };
}

function deadRecord(tally: Tally): (message: Message<unknown>) => string {
  return ({ headers, meta, payload: raw }) => {
    tally.dead += 1;
    return JSON.stringify({
      line: (meta as { readonly line: number }).line,
      code: headerText(headers, 'x-dead-code'),
      reason: headerText(headers, 'x-dead-reason'),
      raw: raw instanceof Uint8Array ? new TextDecoder().decode(raw) : raw,
    });
  };
}
