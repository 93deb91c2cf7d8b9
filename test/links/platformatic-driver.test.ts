import { Buffer } from 'node:buffer';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { backoff, type SluiceError } from 'sluice';
import { kafkaLink } from 'sluice/kafka';
import { until } from '../helpers/until.js';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A broker that answers one request only: which versions of which requests it knows. */
async function broker(body: Buffer): Promise<string> {
  const made = createServer((socket) => {
    socket
      .on('error', () => undefined)
      .on('data', (request) => {
        // The correlation id of the request comes back before the answer.
        const answer = Buffer.concat([request.subarray(8, 12), body]);
        const length = Buffer.alloc(4);
        length.writeInt32BE(answer.length);
        socket.write(Buffer.concat([length, answer]));
      });
  });
  servers.push(made);
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(made.address() as AddressInfo).port}`;
}

/** The error that ends a link to it. */
async function endOf(address: string): Promise<SluiceError> {
  const reconnect = backoff({ initialMs: 5, maxMs: 10, minMs: 1 });
  const fatal: unknown[] = [];
  const link = kafkaLink({ driver: '@platformatic/kafka', brokers: [address], reconnect });
  const stop = link.use({ down: () => undefined, fatal: (error) => void fatal.push(error) });
  await until(() => expect(fatal).toHaveLength(1));
  stop();
  return fatal[0] as SluiceError;
}

const int16 = (value: number): number[] => [(value >> 8) & 0xff, value & 0xff];

describe('platformaticDriver', () => {
  it('says that a broker is too old which does not know the question', async () => {
    // Error 35, and the same list as ever in the form of the first version.
    const refusal = Buffer.of(...int16(35), 0, 0, 0, 1, ...int16(18), ...int16(0), ...int16(2));
    expect(await endOf(await broker(refusal))).toMatchObject({
      code: 'PROTOCOL_ERROR',
      retriable: false,
      details: { type: 'UNSUPPORTED_VERSION' },
    });
  });

  it.each([
    ['older', 0, 8],
    ['newer', 10, 12],
  ])('says that a broker is too old, or too new, which knows only %s versions of a request', async (_, min, max) => {
    // No error, one request in the list: `Produce`; no throttling.
    const produce = [...int16(0), ...int16(min), ...int16(max), 0];
    const error = await endOf(await broker(Buffer.of(...int16(0), 2, ...produce, 0, 0, 0, 0, 0)));
    expect(error).toMatchObject({ code: 'PROTOCOL_ERROR', retriable: false });
    expect(error.message).toContain('does not know version 9 of request 0; this driver needs Kafka 3.0 or later');
  });
});
