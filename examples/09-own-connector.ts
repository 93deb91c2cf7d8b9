// A connector of your own: link, source and sink over a client that somebody wrote. Needs nothing.
import { each, run, type Flow, type Sink } from 'sluice';
import { defineLink, defineSink, defineSource, type Link, type SourceOptions } from 'sluice/connection';

const openShelf = async (...items: string[]) => ({
  take: () => items.shift(),
  put: async (item: string) => void items.push(item),
  close: async () => console.log(`closed a shelf with ${items.join(', ') || 'nothing'}`),
});
type Shelf = Awaited<ReturnType<typeof openShelf>>;
const shelfLink = (...items: string[]): Link<Shelf> =>
  defineLink({ connector: 'shelf', connect: () => openShelf(...items), disconnect: (shelf) => shelf.close() });

const shelfSource = (link: Link<Shelf>, options: SourceOptions = {}): Flow<string> =>
  defineSource<string, Shelf>(
    {
      connector: 'shelf',
      link,
      credit: 16, // when the user names none
      open(context, shelf) {
        const out: string[] = []; // taken from the shelf and not settled
        return {
          resume() {
            while (context.ready) {
              const item = shelf.take();
              if (item === undefined) context.end();
              else {
                out.push(item);
                context.offer({ payload: item, topic: 'shelf', position: item });
              }
            }
          },
          settle(position, outcome) {
            const [item = ''] = out.splice(out.indexOf(position as string), 1);
            if (outcome === 'requeue' || outcome === 'release') void shelf.put(item);
          },
          close: () => out.splice(0).forEach((item) => void shelf.put(item)),
        };
      },
    },
    options,
  );

const shelfSink = (link: Link<Shelf>): Sink<string> =>
  defineSink<string, Shelf>({
    connector: 'shelf',
    link,
    maxUnconfirmed: 16,
    open: (context, shelf) => ({
      send: (sending) => void shelf.put(sending.message.payload).then(() => sending.confirm(), context.lost),
      close: () => undefined,
    }),
  });

await run(shelfSource(shelfLink('tea', 'rice')).pipe(each(async (item) => `${item}!`)), shelfSink(shelfLink())).done;

// Output:
// closed a shelf with nothing
// closed a shelf with tea!, rice!
