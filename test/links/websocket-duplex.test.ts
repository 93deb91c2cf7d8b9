import { describe, expect, it } from 'vitest';
import { webSocket, webSocketLink } from 'sluice/websocket';
import { webSocketServer } from 'sluice/websocket-server';
import { collect } from '../helpers/collect.js';
import { until } from '../helpers/until.js';
import { give } from '../helpers/websocket.js';

describe('webSocket', () => {
  it('is both directions of one connection at once (S2.41, S3.28)', async () => {
    await using server = await webSocketServer({ port: 0 });
    server.clients$.subscribe((client) => client.source.subscribe(client.sink));
    const link = webSocketLink({ url: `ws://127.0.0.1:${server.address.port}/echo`, client: 'ws' });
    const duplex = webSocket(link);
    const statuses: string[] = [];
    duplex.status$.subscribe((status) => statuses.push(status));
    const back = collect(duplex.source, (message) => message.ack());
    const sent = Array.from({ length: 1_000 }, (_, at) => `${at}`);
    const { outcomes } = give(duplex.sink, ...sent);
    await until(() => expect(back.payloads).toHaveLength(1_000));
    expect(back.payloads).toEqual(sent);
    expect(outcomes.filter((outcome) => outcome === 'ack')).toHaveLength(1_000);
    expect(server.clients).toHaveLength(1);
    back.subscription.unsubscribe();
    expect(statuses.at(-1)).toBe('connected');
    duplex.sink.complete();
    await duplex.sink.closed;
    await until(() => expect(statuses).toEqual(['idle', 'connecting', 'connected', 'closing', 'closed']));
  });

  it('carries a frame on as it comes: of 200 answers, asked for one by one, half are there within 10 ms (S3.29)', async () => {
    await using server = await webSocketServer({ port: 0 });
    server.clients$.subscribe((client) => client.source.subscribe(client.sink));
    const duplex = webSocket(webSocketLink({ url: `ws://127.0.0.1:${server.address.port}/echo`, client: 'ws' }));
    const { source } = give(duplex.sink);
    const ask = (): void => source.offer(String(performance.now()));
    const tookMs: number[] = [];
    const { subscription } = collect(duplex.source, (message) => {
      tookMs.push(performance.now() - Number(message.payload));
      message.ack();
      if (tookMs.length <= 200) ask();
    });
    ask();
    await until(() => expect(tookMs).toHaveLength(201));
    // The first one waited for the connection.
    expect(tookMs.slice(1).sort((a, b) => a - b)[100]).toBeLessThan(10);
    subscription.unsubscribe();
  });

  it('lets channels have options of their own over those of the source', async () => {
    await using server = await webSocketServer({ port: 0 });
    server.clients$.subscribe((client) => give(client.sink, '{"ch":"a"}', '{"ch":"a"}', '{"ch":"a"}'));
    const link = webSocketLink({ url: `ws://127.0.0.1:${server.address.port}`, client: 'ws' });
    const duplex = webSocket(link, { source: { credit: 1, topic: 'all' } });
    const all = collect(duplex.source);
    const some = collect(duplex.channel({ open: 'x', match: { ch: 'a' }, credit: 2 }));
    await until(() => expect([all.messages.length, some.messages.length]).toEqual([1, 2]));
    expect(some.messages[0]?.topic).toBe('all');
    for (const { messages, subscription } of [all, some]) {
      subscription.unsubscribe();
      for (const message of messages) message.ack();
    }
  });

  it('refuses options it does not know', () => {
    const link = webSocketLink({ url: 'ws://localhost', client: 'ws' });
    expect(() => webSocket(link, { sources: {} } as never)).toThrow(`did you mean 'source'`);
    expect(() => webSocket(link, { source: { credits: 1 } } as never)).toThrow(`did you mean 'credit'`);
    expect(() => webSocket(link, { sink: { maxUnconfirmed: 0 } })).toThrow(`'maxUnconfirmed'`);
  });

  it('wants to know what to give up where the peer cannot be made to wait', () => {
    const link = webSocketLink({ url: 'wss://localhost' });
    expect(() => webSocket(link, {} as never)).toThrow(`'overflow' is missing`);
    expect(() => webSocket(link, { source: { overflow: 'drop-oldest' } })).not.toThrow();
  });
});
