import type { TestSourceEvent } from './test-source.js';

/** The life of one message, by frame. */
export interface Lane {
  readonly label: string;
  readonly events: readonly TestSourceEvent<unknown>[];
}

/** The messages of one source and its credit at the end of each frame in which it changed. */
export interface LaneGroup {
  readonly name: string;
  readonly lanes: readonly Lane[];
  readonly credit: readonly { readonly frame: number; readonly value: number }[];
}

/**
 * Draws one row per message, one column per frame, and a row of the credit left at the end of each frame. Several things
 * in one frame are one letter, so columns never shift.
 *
 * @internal
 */
export function laneDiagram(groups: readonly LaneGroup[]): string {
  const labels = groups.flatMap((group) => [group.name, ...group.lanes.map((lane) => lane.label)]);
  const width = Math.max(...labels.map((label) => label.length)) + 2;
  const lines = groups.flatMap((group) => [
    ...group.lanes.map((lane) => ({ text: lane.label.padEnd(width) + track(lane), note: noteOf(lane) })),
    { text: group.name.padEnd(width) + creditRow(group), note: '' },
  ]);
  return aligned(lines);
}

/** A diagram as written in a test: without its indentation, and however far its notes stand off. */
export function plainDiagram(diagram: string): string {
  const lines = diagram
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '');
  const indent = Math.min(...lines.map((line) => line.length - line.trimStart().length));
  return aligned(
    lines.map((line) => {
      const [text = '', note] = line.slice(indent).split('<-');
      return { text: text.trimEnd(), note: note === undefined ? '' : `<-${note}` };
    }),
  );
}

function aligned(lines: readonly { readonly text: string; readonly note: string }[]): string {
  const end = Math.max(...lines.map(({ text }) => text.length)) + 2;
  return lines.map(({ text, note }) => (note === '' ? text : text.padEnd(end) + note)).join('\n');
}

/** How a lane that nothing happens to any more is still open; empty when it is settled. */
export function noteOf({ events }: Lane): string {
  const last = events.at(-1)?.type;
  if (last === 'waiting') return '<- never delivered';
  if (last === 'delivered') return '<- never settled';
  if (last === 'requeue' || last === 'release' || last === 'taken-back') return '<- never delivered again';
  return '';
}

function track({ events }: Lane): string {
  let text = '';
  let at = 0;
  while (at < events.length) {
    const frame = Math.round((events[at] as TestSourceEvent<unknown>).atMs);
    let end = at;
    while (end < events.length && Math.round((events[end] as TestSourceEvent<unknown>).atMs) === frame) end += 1;
    text = text.padEnd(frame, text === '' ? ' ' : '-') + letter(events.slice(at, end));
    at = end;
  }
  return text;
}

/** One letter for all that happened to a message in one frame. */
function letter(events: readonly TestSourceEvent<unknown>[]): string {
  let drawn = '';
  let delivered = false;
  for (const { type, reason } of events) {
    if (type === 'waiting') drawn = 'o';
    else if (type === 'delivered') {
      drawn = drawn === 'n' ? 'r' : 'd';
      delivered = true;
    } else if (type === 'ack') {
      const worked = reason === undefined;
      if (delivered) drawn = worked ? 'i' : 'S';
      else drawn = worked ? 'a' : 's';
    } else drawn = type === 'dead' || type === 'drop' ? 'x' : 'n';
  }
  return drawn;
}

function creditRow({ credit, lanes }: LaneGroup): string {
  const lastMs = Math.max(0, ...lanes.flatMap((lane) => lane.events.map((event) => event.atMs)));
  let row = '';
  for (const [index, { value }] of credit.entries()) {
    const until = credit[index + 1]?.frame ?? Math.round(lastMs) + 1;
    row = row.padEnd(until, digit(value));
  }
  return row;
}

function digit(value: number): string {
  return value < 36 ? value.toString(36) : '+';
}
