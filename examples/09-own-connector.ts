// A connector of your own: link, source and sink over a client that somebody wrote. Needs nothing.
import { each, run, type Flow, type Sink } from 'sluice';
import { defineLink, defineSink, defineSource, type Link, type SourceOptions } from 'sluice/connection';

const openShelf = async (...items: string[]) => ({
  take: () => items.shift(),
  put: async (item: string) => void items.push(item),
  close: async () => console.log(`closed a shelf with ${items.join(', ') || 'nothing'}`),
});
type Shelf = Awaited<ReturnType<typeof openShelf>>;

function shelfLink(...items: string[]): Link<Shelf> {
  return defineLink({ connector: 'shelf', connect: () => openShelf(...items), disconnect: (shelf) => shelf.close() });
}

function shelfSource(link: Link<Shelf>, options: SourceOptions = {}): Flow<string> {
  return defineSource<string, Shelf>(
    {
      connector: 'shelf',
      link,
      credit: 16, // when the user names none
      open: (context, shelf) => ({
        resume() {
          while (context.ready) {
            const item = shelf.take();
            if (item === undefined) context.end();
            else context.offer({ payload: item, topic: 'shelf', position: item });
          }
        },
        settle: (position, outcome) => void (outcome === 'ack' || shelf.put(position as string)),
        close: () => undefined,
      }),
    },
    options,
  );
}

function shelfSink(link: Link<Shelf>): Sink<string> {
  return defineSink<string, Shelf>({
    connector: 'shelf',
    link,
    maxUnconfirmed: 16,
    open: (context, shelf) => ({
      send: (sending) => void shelf.put(sending.message.payload).then(() => sending.confirm(), context.lost),
      close: () => undefined,
    }),
  });
}

const labelled = shelfSource(shelfLink('tea', 'rice')).pipe(each(async (item) => `${item}!`));
await run(labelled, shelfSink(shelfLink())).done;

// Output:
// closed a shelf with nothing
// closed a shelf with tea!, rice!
