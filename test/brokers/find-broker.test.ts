import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Broker, Way } from './broker.js';
import { environment } from './environment.js';
import { findBroker } from './find-broker.js';

const nothing = (reason: string): Way => vi.fn<Way>(async () => reason);
const something = (how: string): Way => vi.fn<Way>(async () => ({ how, open: async () => ({}) as Broker }));

describe('looking for a broker', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('takes the first way that finds one', async () => {
    const ways = [nothing('not set'), something('installed'), something('in Docker')];
    expect((await findBroker('Broker', ways)).how).toBe('installed');
    expect(ways[2]).not.toHaveBeenCalled();
  });

  it('says of each way why it found nothing', async () => {
    const ways = [nothing('not set'), nothing('not installed')];
    await expect(findBroker('Broker', ways)).rejects.toThrow('no Broker: not set; not installed');
  });

  it('takes the address of a variable, and never ends what is there', async () => {
    const ways = [environment('TEST_SOME_URL')];
    await expect(findBroker('Broker', ways)).rejects.toThrow('TEST_SOME_URL is not set');
    vi.stubEnv('TEST_SOME_URL', 'mqtt://me:word@broker.example:1884');
    const broker = await (await findBroker('Broker', ways)).open();
    expect(broker).toMatchObject({ url: 'mqtt://me:word@broker.example:1884', port: 1884, isOwn: false });
    await expect(broker.kill()).rejects.toThrow('not ended');
    await expect(broker.close()).resolves.toBeUndefined();
  });
});
