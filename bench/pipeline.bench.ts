// The same pipeline, plain RxJS without settlement against ours with it.
import { connectable, filter, from, map, Subject } from 'rxjs';
import { fromAsyncIterable, payload, where } from 'sluice';
import { compare, counted } from './compare.js';

interface Row {
  readonly id: number;
  readonly symbol: string;
  readonly side: string;
  readonly price: number;
  readonly quantity: number;
  readonly venue: string;
  readonly account: string;
}

const rows: Row[] = Array.from({ length: 200_000 }, (_, id) => ({
  id,
  symbol: 'ABC',
  side: 'buy',
  price: id % 100,
  quantity: 1 + (id % 7),
  venue: 'X',
  account: 'a',
}));
const numbers = Array.from({ length: 1_000_000 }, (_, at) => at);
const total = (row: Row): Row & { total: number } => ({ ...row, total: row.price * row.quantity });

await compare(
  'pipeline with an object spread as work',
  rows.length,
  {
    name: 'sluice, acked',
    run: () =>
      counted(
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

await compare(
  'pipeline with no work at all',
  numbers.length,
  {
    name: 'sluice, acked',
    run: () =>
      counted(
        fromAsyncIterable(numbers).pipe(
          payload((n) => n),
          where((n) => n >= 0),
          payload((n) => n),
        ),
      ),
  },
  [
    {
      name: 'RxJS, no settlement',
      run: () =>
        counted(
          from(numbers).pipe(
            map((n) => n),
            filter((n) => n >= 0),
            map((n) => n),
          ),
        ),
    },
    {
      name: 'RxJS connectable, no settlement',
      run: () => {
        const shared = connectable(
          from(numbers).pipe(
            map((n) => n),
            filter((n) => n >= 0),
            map((n) => n),
          ),
          {
            connector: () => new Subject<number>(),
          },
        );
        const count = counted(shared as never);
        shared.connect();
        return count;
      },
    },
  ],
  { perSecond: 5_000_000 },
);
