import { expect, it } from 'vitest';
import { field, payload, route, run, tapMessage, type Flow, type Running, type Sink, type Stage } from 'sluice';
import { defineLink, defineSink, defineSource, type Link } from 'sluice/connection';
import { webSocket, webSocketLink } from 'sluice/websocket';
import { until } from '../helpers/until.js';
import { bareServer } from '../helpers/websocket.js';

interface Frame {
  readonly kind: string;
  readonly n: number;
}

const passed: string[] = [];
const trace = <T>(where: string): Stage<T, T> => tapMessage<T>(() => void passed.push(where));

/** A client that answers trades and nothing else, over whatever it is given. */
function answering(source: Flow<string | Uint8Array>, sink: Sink<string>): { start(): Running } {
  const seen: Stage<Frame, string> = (trades) =>
    trades.pipe(
      trace('routed'),
      payload(({ n }) => `seen ${n}`),
    );
  const answers = source.pipe(
    trace('runner in'),
    payload((frame) => JSON.parse(frame as string) as Frame),
    route([{ name: 'trades', when: field('kind', 'trade'), to: seen }], { otherwise: 'drop' }),
    trace('runner out'),
  );
  return { start: () => run(answers, sink) };
}

const frame = (kind: string, n: number): string => JSON.stringify({ kind, n });

it('has its connection opened, routed and closed by run, both ways, and by nothing before (S1.3, S1.12, S1.13, S1.14, S1.57, S1.58)', async () => {
  await using server = await bareServer();
  const link = webSocketLink({ url: server.url, client: 'ws' });
  const statuses: string[] = [];
  link.status$.subscribe((status) => statuses.push(status));
  const feed = webSocket(link);
  const client = answering(feed.source, feed.sink);
  await new Promise<void>((resolve) => setImmediate(resolve));
  expect([statuses, server.sockets]).toEqual([['idle'], []]);
  const running = client.start();
  await until(() => expect(server.sockets).toHaveLength(1));
  for (const kind of ['trade', 'quote', 'trade']) server.sockets[0]?.send(frame(kind, server.received.length + 1));
  await until(() => expect(server.received).toEqual(['seen 1', 'seen 1']));
  expect((await running.stop()).clean).toBe(true);
  await until(() => expect(server.server.clients.size).toBe(0));
  expect(statuses).toEqual(['idle', 'connecting', 'connected', 'closing', 'closed']);
});

it('takes its connection from any connector, in the order of the path (S1.4, S1.23, S1.59, S1.62, S1.70)', async () => {
  const sent: string[] = [];
  passed.length = 0;
  const frames = [frame('trade', 1), frame('quote', 2), frame('trade', 3)];
  const link: Link<string[]> = defineLink({
    connector: 'fake',
    connect: async () => frames,
    disconnect: async () => undefined,
  });
  const source = defineSource<string, string[]>({
    connector: 'fake',
    link,
    credit: 1,
    open: (context, connection) => ({
      resume() {
        while (context.ready) {
          const payload = connection.shift();
          if (payload === undefined) context.end();
          else {
            passed.push('connector in');
            context.offer({ payload, topic: 'fake', position: payload });
          }
        }
      },
      settle: () => undefined,
      close: () => undefined,
    }),
  });
  const sink = defineSink<string, string[]>({
    connector: 'fake',
    link,
    maxUnconfirmed: 1,
    open: () => ({
      send(sending) {
        passed.push('connector out');
        sent.push(sending.message.payload);
        sending.confirm();
      },
      close: () => undefined,
    }),
  });
  const { clean } = await answering(source, sink).start().done;
  expect([clean, sent]).toEqual([true, ['seen 1', 'seen 3']]);
  const way = ['connector in', 'runner in', 'routed', 'runner out', 'connector out'];
  expect(passed).toEqual([...way, 'connector in', 'runner in', ...way]);
});
