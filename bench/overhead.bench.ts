// A pipeline that does nothing: what a message costs by itself. Alone in its process, so that no call is shared.
import { connectable, filter, from, map, Subject } from 'rxjs';
import { fromAsyncIterable, payload, where } from 'sluice';
import { compare } from './compare.js';
import { acked, counted } from './counted.js';
import { sized } from './settings.js';

const numbers = Array.from({ length: sized(2_000_000) }, (_, at) => at);

await compare(
  'no work at all',
  numbers.length,
  {
    name: 'sluice, acked',
    run: () =>
      acked(
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
      run() {
        const shared = connectable(
          from(numbers).pipe(
            map((n) => n),
            filter((n) => n >= 0),
            map((n) => n),
          ),
          { connector: () => new Subject<number>() },
        );
        const count = counted(shared);
        shared.connect();
        return count;
      },
    },
  ],
  { perSecond: 5_000_000 },
);
