import Table from 'cli-table3';
import { createLogUpdate } from 'log-update';
import type { Hub } from './hub.js';

/** How often the view is drawn: in a terminal often, in a log once a second. */
const TERMINAL_MS = 200;
const LOG_MS = 1_000;

/** Shows a hub at work until the returned function is called. */
export function showHub(hub: Hub, out: NodeJS.WriteStream): () => void {
  const live = out.isTTY;
  const draw = createLogUpdate(out);
  let rows = 0;
  let atMs = performance.now();
  let rate = 0;
  const look = (): void => {
    const nowMs = performance.now();
    const now = rowsOf(hub);
    rate = Math.round(((now - rows) * 1_000) / (nowMs - atMs));
    [rows, atMs] = [now, nowMs];
    if (live) draw(tableOf(hub, rate));
    else out.write(`${lineOf(hub, rate)}\n`);
  };
  const timer = setInterval(look, live ? TERMINAL_MS : LOG_MS);
  return () => {
    clearInterval(timer);
    if (live) draw.clear();
  };
}

/** The table in which every row is accounted for. */
export function accountOf(hub: Hub): { readonly text: string; readonly balanced: boolean } {
  const { filtered, dead, delivered } = hub.tally;
  const read = rowsOf(hub);
  const handedBack = read - settledOf(hub);
  const balanced = read === delivered + filtered + dead + handedBack;
  const table = new Table({ head: ['rows', 'count'], colAligns: ['left', 'right'], style: { head: [], border: [] } });
  table.push(['read', read], ['delivered', delivered], ['filtered', filtered], ['dead', dead]);
  if (handedBack > 0) table.push(['handed back', handedBack]);
  table.push(['missing', read - delivered - filtered - dead - handedBack]);
  return { text: table.toString(), balanced };
}

function rowsOf(hub: Hub): number {
  return hub.running.health().sources[0]?.counts.emitted ?? 0;
}

function settledOf(hub: Hub): number {
  const counts = hub.running.health().sources[0]?.counts;
  return counts === undefined ? 0 : counts.acked + counts.dead + counts.dropped;
}

function lineOf(hub: Hub, rate: number): string {
  const { tally, clients } = hub;
  const source = hub.running.health().sources[0];
  const branches = Object.entries(tally.branches).map(([name, count]) => `${name} ${count}`);
  const seen = clients.map((client) => `${client.name} ${client.received()}`);
  return [
    `${rowsOf(hub)} rows`,
    `${rate}/s`,
    `unsettled ${source?.unsettled ?? 0} of ${source?.credit ?? 0}`,
    ...branches,
    `filtered ${tally.filtered}`,
    `dead ${tally.dead}`,
    ...seen,
    `missed ${tally.missed}`,
  ].join(' | ');
}

function tableOf(hub: Hub, rate: number): string {
  const { tally, clients } = hub;
  const source = hub.running.health().sources[0];
  const table = new Table({ colAligns: ['left', 'right'], style: { border: [] } });
  table.push(
    ['rows read', rowsOf(hub)],
    ['rows a second', rate],
    ['unsettled of credit', `${source?.unsettled ?? 0} of ${source?.credit ?? 0}`],
    ...Object.entries(tally.branches).map(([name, count]) => [`branch ${name}`, count]),
    ['filtered', tally.filtered],
    ['dead letters', tally.dead],
    ['written', tally.delivered],
    ...clients.map((client) => [`client ${client.name}`, client.received()]),
    ['missed by the slow client', tally.missed],
  );
  return `${table.toString()}\nCtrl-C drains and stops`;
}
