import type { HubConfig } from './config.js';

/** What the hub makes of a row. */
export interface Order {
  readonly id: string;
  readonly customer: string;
  readonly amount: number;
  readonly priority: string;
}

/** The order in a row; throws what the dead letter will say when it is none. */
export function orderOf(row: Readonly<Record<string, unknown>>, config: HubConfig): Order {
  for (const name of config.required) {
    if (row[name] === undefined || row[name] === null || row[name] === '') throw new Error(`${name} is empty`);
  }
  const amount = config.amount.reduce((product, name) => product * Number(row[name]), 1);
  return {
    id: String(row[config.id]),
    customer: textOf(row[config.customer]) || 'guest',
    amount: Math.round(amount * 100) / 100,
    priority: config.classes.find(({ above }) => amount > above)?.name ?? 'NONE',
  };
}

function textOf(cell: unknown): string {
  return typeof cell === 'string' ? cell : '';
}
