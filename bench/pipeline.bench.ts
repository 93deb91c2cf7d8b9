// The same pipeline with an object spread as work: plain RxJS without settlement against ours with it.
import { filter, from, map } from 'rxjs';
import { fromAsyncIterable, payload, where } from 'sluice';
import { compare } from './compare.js';
import { acked, counted } from './counted.js';
import { sized } from './settings.js';

interface Row {
  readonly id: number;
  readonly symbol: string;
  readonly side: string;
  readonly price: number;
  readonly quantity: number;
  readonly venue: string;
  readonly account: string;
}

const rows: Row[] = Array.from({ length: sized(200_000) }, (_, id) => ({
  id,
  symbol: 'ABC',
  side: 'buy',
  price: id % 100,
  quantity: 1 + (id % 7),
  venue: 'X',
  account: 'a',
}));
const total = (row: Row): Row & { total: number } => ({ ...row, total: row.price * row.quantity });

await compare(
  'object spread as work',
  rows.length,
  {
    name: 'sluice, acked',
    run: () =>
      acked(
        fromAsyncIterable(rows).pipe(
          where((row) => row.price >= 0),
          payload(total),
          payload((row) => row),
        ),
      ),
  },
  [
    {
      name: 'RxJS, no settlement',
      run: () =>
        counted(
          from(rows).pipe(
            filter((row) => row.price >= 0),
            map(total),
            map((row) => row),
          ),
        ),
    },
  ],
  { atLeast: 0.9 },
);
