import * as client from '@platformatic/kafka';
import { expect, it, vi } from 'vitest';
import { virtualClock } from 'sluice/testing';
import { PlatformaticCluster } from '../../src/links/platformatic-cluster.js';
import { PlatformaticProducer } from '../../src/links/platformatic-producer.js';
import type { PlatformaticConnection } from '../../src/links/platformatic-connection.js';

const COORDINATOR_LOAD_IN_PROGRESS = 14;

it('waits for a broker that was just started and has no number for it yet', async () => {
  const clock = virtualClock();
  const cluster = new PlatformaticCluster(
    client,
    {
      brokers: ['localhost:9092'],
      clientId: 'test',
      tls: async () => undefined,
      sasl: undefined,
      connectTimeoutMs: 1_000,
      requestTimeoutMs: 1_000,
      autoCreateTopics: false,
      clock,
    },
    { lost: () => undefined, alive: () => undefined },
  );
  const ask = vi.fn().mockResolvedValue({ producerId: 7n, producerEpoch: 0 });
  ask.mockRejectedValueOnce(new client.ProtocolError(COORDINATOR_LOAD_IN_PROGRESS));
  vi.spyOn(cluster, 'connect').mockResolvedValue();
  vi.spyOn(cluster, 'any').mockResolvedValue({ ask } as unknown as PlatformaticConnection);
  const plan = { idempotent: true, acks: -1, compression: 'none', transactionalId: undefined } as const;
  const started = new PlatformaticProducer(cluster, plan).start();
  await clock.run(1_000);
  await expect(started).resolves.toBeUndefined();
  expect(ask).toHaveBeenCalledTimes(2);
});
