import { connect } from 'mqtt';

/** A session that is known to the broker and has nobody in it: what is published from now on waits for `clientId`. */
export async function keptSession(url: string, clientId: string, topic: string): Promise<void> {
  const client = connect(url, {
    clientId,
    clean: false,
    protocolVersion: 5,
    properties: { sessionExpiryInterval: 3_600 },
    reconnectPeriod: 50,
  });
  await client.subscribeAsync(topic, { qos: 1 });
  await client.endAsync();
}
