// Exact rules: what a message costs must not grow with their number.
import { filter, from, merge, share, Subject } from 'rxjs';
import { equals, field, fromAsyncIterable, payload, route } from 'sluice';
import { compare, counted, type Contender } from './compare.js';

interface Quote {
  readonly symbol: string;
  readonly price: number;
}

for (const [rules, count] of [
  [10, 200_000],
  [1_000, 200_000],
  [10_000, 200_000],
  [100_000, 200_000],
] as const) {
  const quotes: Quote[] = Array.from({ length: count }, (_, at) => ({ symbol: `S${(at * 7919) % rules}`, price: at }));
  const symbols = Array.from({ length: rules }, (_, at) => `S${at}`);
  const routed = route<Quote, readonly { name: string; when: ReturnType<typeof field>; to: never }[]>(
    symbols.map((symbol) => ({
      name: symbol,
      when: field('symbol', equals(symbol)),
      to: payload((quote: Quote) => quote) as never,
    })),
  );
  const rivals: Contender[] = [
    {
      name: 'a Map of Subjects, no settlement',
      run() {
        const subjects = new Map(symbols.map((symbol) => [symbol, new Subject<Quote>()]));
        let seen = 0;
        for (const subject of subjects.values()) subject.subscribe(() => (seen += 1));
        return new Promise((resolve) => {
          from(quotes).subscribe({
            next: (quote) => subjects.get(quote.symbol)?.next(quote),
            complete: () => resolve(seen),
          });
        });
      },
    },
  ];
  if (rules <= 1_000) {
    rivals.push({
      name: 'share and filter, no settlement',
      run() {
        const shared = new Subject<Quote>();
        const branches = symbols.map((symbol) => shared.pipe(filter((quote) => quote.symbol === symbol)));
        const done = counted(merge(...branches).pipe(share()));
        from(quotes.slice(0, count)).subscribe(shared);
        return done;
      },
    });
  }
  await compare(
    `router with ${rules.toLocaleString('en-US')} exact rules`,
    count,
    { name: 'sluice route, acked', run: () => counted(fromAsyncIterable(quotes).pipe(routed) as never) },
    rivals,
  );
}
