import { connect, connectAsync, type IClientOptions } from 'mqtt';
import { expect, it } from 'vitest';
import { brokerSuite } from './broker-suite.js';
import { mosquitto } from './mosquitto.js';

const SESSION: IClientOptions = { clientId: 'kept', clean: false, reconnectPeriod: 0 };

brokerSuite('Mosquitto', mosquitto, (broker) => {
  it('has what a session waits for again after it was stopped and started', async (context) => {
    if (!broker().isOwn) context.skip(`${broker().how} is not to be stopped`);
    const client = await connectAsync(broker().url, SESSION);
    await client.subscribeAsync('kept/#', { qos: 1 });
    await client.endAsync();
    const publisher = await connectAsync(broker().url);
    await publisher.publishAsync('kept/one', 'one', { qos: 1 });
    await publisher.endAsync();

    await broker().stop();
    await broker().start();
    // It comes with the connection: who listens only afterwards may miss it.
    const again = connect(broker().url, SESSION);
    const came = new Promise<string>((resolve) => {
      again.on('message', (topic, payload) => resolve(`${topic}: ${payload.toString()}`));
    });
    expect(await came).toBe('kept/one: one');
    await again.endAsync();
  });

  it('serves clients on the same port after it was killed and started', async (context) => {
    if (!broker().isOwn) context.skip(`${broker().how} is not to be killed`);
    const url = broker().url;
    await broker().kill();
    await expect(connectAsync(url, { reconnectPeriod: 0 }, false)).rejects.toThrow('ECONNREFUSED');
    await broker().start();
    await expect(connectAsync(url).then((client) => client.endAsync())).resolves.toBeUndefined();
  });
});
