import type { Fault } from './chaos.js';

/** When which fault comes: `at` is a share of the messages. */
export interface Scheduled {
  readonly at: number;
  readonly fault: Fault;
}

/**
 * All faults in random order, each at a random moment of a period of its own; a quarter of the periods are quiet. The last
 * tenth of the messages is quiet as well, so that every fault has something to break.
 */
export function faultSchedule(faults: readonly Fault[], random: () => number): Scheduled[] {
  const order = faults.flatMap((fault) => Array.from({ length: fault.times }, () => fault));
  shuffle(order, random);
  const periods = Array.from({ length: Math.ceil((order.length * 4) / 3) }, (_, at) => at);
  const length = 0.9 / periods.length;
  shuffle(periods, random);
  const busy = periods.slice(0, order.length).sort((a, b) => a - b);
  return order.map((fault, at) => ({ fault, at: ((busy[at] ?? 0) + random()) * length }));
}

function shuffle(list: unknown[], random: () => number): void {
  for (let at = list.length - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1));
    [list[at], list[other]] = [list[other], list[at]];
  }
}
