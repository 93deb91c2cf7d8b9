import Table from 'cli-table3';
import { createLogUpdate } from 'log-update';
import type { Hub } from './hub.js';

/** How often the view is drawn: in a terminal often, in a log once a second. */
const TERMINAL_MS = 200;
const LOG_MS = 1_000;

/** What is shown of a hub at work. */
export interface HubView {
  /** Says something without disturbing the picture. */
  note(text: string): void;
  /** Ends it. */
  hide(): void;
}

/** Shows a hub at work, as a table in a terminal and as lines elsewhere. */
export function showHub(hub: Hub, out: NodeJS.WriteStream): HubView {
  const live = out.isTTY;
  const draw = createLogUpdate(out);
  let rows = 0;
  let atMs = performance.now();
  let rate = 0;
  let below = 'Ctrl-C drains and stops';
  const show = (): void => {
    if (live) draw(`${tableOf(hub, rate, out.columns)}\n${below}`);
    else out.write(`${lineOf(hub, rate)}\n`);
  };
  const look = (): void => {
    const nowMs = performance.now();
    const now = rowsOf(hub);
    rate = Math.round(((now - rows) * 1_000) / (nowMs - atMs));
    [rows, atMs] = [now, nowMs];
    show();
  };
  const timer = setInterval(look, live ? TERMINAL_MS : LOG_MS);
  return {
    note(text) {
      below = text;
      if (live) show();
      else out.write(`${text}\n`);
    },
    hide() {
      clearInterval(timer);
      if (!live) return;
      draw.clear();
      draw.done();
    },
  };
}

/** The table in which every row is accounted for. */
export function accountOf(hub: Hub): { readonly text: string; readonly balanced: boolean } {
  const { filtered, dead } = hub.tally;
  const read = rowsOf(hub);
  const delivered = deliveredOf(hub);
  const handedBack = read - settledOf(hub);
  const missing = read - delivered - filtered - dead - handedBack;
  const text = compact([
    ['read', read],
    ['delivered', delivered],
    ['filtered', filtered],
    ['dead', dead],
    ...(handedBack > 0 ? [['handed back', handedBack] as const] : []),
    ['missing', missing],
  ]);
  return { text, balanced: missing === 0 };
}

function rowsOf(hub: Hub): number {
  return hub.running.health().sources[0]?.counts.emitted ?? 0;
}

function settledOf(hub: Hub): number {
  const counts = hub.running.health().sources[0]?.counts;
  return counts === undefined ? 0 : counts.acked + counts.dead + counts.dropped;
}

/** What the sink has confirmed: it is on disk. */
function deliveredOf(hub: Hub): number {
  return hub.running.health().sinks[0]?.confirmed ?? 0;
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
    `missed ${tally.missed}${tally.missed > 0 ? ' or more' : ''}`,
  ].join(' | ');
}

function tableOf(hub: Hub, rate: number, columns: number): string {
  const { tally, clients } = hub;
  const source = hub.running.health().sources[0];
  const rows: Row[] = [
    ['rows read', rowsOf(hub)],
    ['rows a second', rate],
    ['unsettled of credit', `${source?.unsettled ?? 0} of ${source?.credit ?? 0}`],
    ...Object.entries(tally.branches).map(([name, count]) => [`branch ${name}`, count] as const),
    ['filtered', tally.filtered],
    ['dead letters', tally.dead],
    ['written', deliveredOf(hub)],
    ...clients.map((client) => [`client ${client.name}`, client.received()] as const),
    ['missed by slow clients', tally.missed > 0 ? `${tally.missed} or more` : 0],
  ];
  return compact(rows, columns);
}

type Row = readonly [name: string, value: string | number];

/** A table without lines between its rows: with them it would be taller than many a terminal. Without a frame where that is narrower. */
function compact(rows: readonly Row[], columns: number = Infinity): string {
  const table = new Table({
    colAligns: ['left', 'right'],
    style: { head: [], border: [] },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
  for (const row of rows) table.push([...row]);
  const text = table.toString();
  return text.indexOf('\n') <= columns ? text : rows.map(([name, value]) => `${name}: ${value}`).join('\n');
}
