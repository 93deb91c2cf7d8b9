import { Buffer } from 'node:buffer';
import { connect } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoff, isSluiceError } from 'sluice';
import { mqttLink, mqttSource } from 'sluice/mqtt';
import { webSocketLink, webSocketSource } from 'sluice/websocket';
import { readSubscription, webSocketServer } from 'sluice/websocket-server';
import { collect } from '../helpers/collect.js';
import { answered, FEW_INPUTS, INPUTS, mutated, mutatedText } from '../helpers/fuzz.js';
import { agreeing, mqttServer, publish } from '../helpers/mqtt-server.js';
import { until } from '../helpers/until.js';
import { bareClient, bareServer } from '../helpers/websocket.js';

const AT_ONCE = backoff({ initialMs: 1, minMs: 1 });
const UPGRADE = [
  'GET /feed?x=1 HTTP/1.1',
  'Host: x',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Protocol: v1, v2',
  'Origin: https://app.example',
  '\r\n',
].join('\r\n');
const REQUESTS = [UPGRADE, `${UPGRADE}${UPGRADE}`, UPGRADE.replace('/feed', 'ws://[')];

/** Frames of a client, masked with zeros, or of a server. */
function frame(opcode: number, payload: string, isMasked: boolean, isLast = true): Buffer {
  const bytes = Buffer.from(payload);
  const mask = isMasked ? [0, 0, 0, 0] : [];
  return Buffer.from([(isLast ? 0x80 : 0) | opcode, (isMasked ? 0x80 : 0) | bytes.length, ...mask, ...bytes]);
}
const framesOf = (isMasked: boolean): Buffer[] => [
  Buffer.concat([frame(1, 'text', isMasked), frame(2, 'bytes', isMasked), frame(9, 'ping', isMasked)]),
  Buffer.concat([frame(1, 'be', isMasked, false), frame(10, '', isMasked), frame(0, 'gin', isMasked)]),
  frame(8, '\u0003\u00e8', isMasked),
  frame(1, '{"op":"subscribe","channel":"a"}', isMasked),
];

/** What a server answers to these bytes until it, or after a while this side, has ended the connection. */
function said(port: number, ...parts: readonly Uint8Array[]): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.end(Buffer.concat(parts)));
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
    socket.on('error', () => undefined);
    socket.once('close', () => resolve(answer));
  });
}

describe('a client of a WebSocket server that sends anything (G17, B25, B26)', () => {
  it.each([
    ['in place of an upgrade', mutated(...REQUESTS), ''],
    ['after one', mutated(...framesOf(true)), UPGRADE],
  ])('%s is answered and ended, and the others do not notice', async (_, input, before) => {
    await using server = await webSocketServer({ port: 0, origins: ['*'], protocol: (offered) => offered[0] });
    const came: unknown[] = [];
    const faults: unknown[] = [];
    server.clients$.subscribe(({ source }) => {
      source.subscribe({
        next(message) {
          came.push(message.payload);
          message.ack();
        },
        error: (error: unknown) => void faults.push(error),
      });
    });
    const other = await bareClient(`ws://127.0.0.1:${server.address.port}`);
    let count = 0;
    await fc.assert(
      fc.asyncProperty(input, async (given) => {
        const answer = await said(server.address.port, Buffer.from(before), given);
        expect(answer).toMatch(/^(HTTP\/1\.1 (101|400|403|404|405|408|413|426|431|500|501|505) |$)/);
        expect(answer).not.toMatch(/\bat .*:\d+:\d+|node_modules/);
        const next = `other ${(count += 1)}`;
        other.socket.send(next);
        await until(() => expect(came).toContain(next));
        came.length = 0;
      }),
      INPUTS,
    );
    for (const fault of faults) expect(isSluiceError(fault)).toBe(true);
    await until(() => expect(server.clients).toHaveLength(1));
  });

  it('asks for channels, or for nothing', () => {
    const asking = [
      '{"op":"subscribe","channels":[{"name":"a","symbols":["x"]},"b"]}',
      '{"op":"unsubscribe","channel":"a"}',
    ];
    fc.assert(
      fc.property(mutatedText(...asking), (given) => {
        const read = answered(
          () => readSubscription(given) ?? { op: 'subscribe', channels: [{ name: 'none', symbols: [] }] },
        );
        for (const { name, symbols } of read!.channels)
          expect([name, ...symbols].every((one) => typeof one === 'string')).toBe(true);
      }),
      INPUTS,
    );
  });
});

describe('a server that sends anything', () => {
  it('ends the flow of a WebSocket with a code, or is connected to again (G17, B25)', async () => {
    await fc.assert(
      fc.asyncProperty(mutated(...framesOf(false)), async (given) => {
        await using server = await bareServer((socket, at) => {
          socket.send('good');
          const raw = (socket as unknown as { _socket: { end(bytes: Uint8Array): void } })._socket;
          if (at === 1) raw.end(given);
        });
        const link = webSocketLink({ url: server.url, client: 'ws', reconnect: AT_ONCE });
        const { payloads, errors, subscription } = collect(webSocketSource(link), (message) => message.ack());
        await until(() => expect(errors.length + Number(server.sockets.length > 1)).toBeGreaterThan(0));
        await until(() => expect(payloads.filter((one) => one === 'good').length + errors.length).toBeGreaterThan(1));
        expect(payloads[0]).toBe('good');
        for (const error of errors) expect(isSluiceError(error)).toBe(true);
        subscription.unsubscribe();
      }),
      FEW_INPUTS,
    );
  });

  it('ends the flow of MQTT with a code, or is connected to again (G17, B23)', async () => {
    const properties = [38, 0, 1, 97, 0, 1, 98, 3, 0, 2, 116, 47];
    const packets = [
      publish(2, 'a/b', 'payload', properties),
      Buffer.concat([publish(2, 'a/b', 'x'), publish(3, 'a/c', 'y', properties)]),
      Buffer.from([0xd0, 0]),
      Buffer.from([0x40, 2, 0, 9]),
      Buffer.from([0xe0, 1, 0x82]),
    ];
    await fc.assert(
      fc.asyncProperty(mutated(...packets), async (given) => {
        const server = await mqttServer((packet, reply, count) => {
          agreeing(packet, reply);
          if (packet.type === 8)
            reply(publish(1, 'a/good', `good ${count}`), ...(count === 1 ? [Buffer.from(given)] : []));
        });
        const link = mqttLink({ url: server.url, clientId: 'app', reconnect: AT_ONCE });
        const { payloads, errors, subscription } = collect(mqttSource(link, { topics: '#' }), (message) =>
          message.ack(),
        );
        // What came in one piece with what is no MQTT is not acknowledged, and a broker brings it again.
        const isRead = (): boolean => errors.length > 0 || String(payloads).includes('good');
        await until(() => expect(isRead()).toBe(true));
        payloads.length = 0;
        server.cut();
        await until(() => expect(isRead()).toBe(true));
        for (const error of errors) expect(isSluiceError(error)).toBe(true);
        subscription.unsubscribe();
        await server.close();
      }),
      FEW_INPUTS,
    );
  });
});
