import { connectAsync } from 'mqtt';

/** The first 2.0 that keeps its window (`db__ready_for_flight` on the way of an acknowledgement); 1.6 does as well. */
const KEEPS = 13;
/** Brokers that say no version say nothing at all. */
const SILENT_MS = 2_000;

/** Whether this is a Mosquitto that lets a whole window out with each acknowledgement, however much of it is out already. */
export async function mosquittoOverruns(url: string, username: string, password: string): Promise<boolean> {
  const client = await connectAsync(url, { username, password });
  const said = new Promise<string>((resolve) => {
    setTimeout(resolve, SILENT_MS, '').unref();
    client.on('message', (_topic, payload) => resolve(payload.toString()));
  });
  await client.subscribeAsync('$SYS/broker/version');
  const [, patch = KEEPS] = /^mosquitto version 2\.0\.(\d+)/.exec(await said) ?? [];
  await client.endAsync();
  return Number(patch) < KEEPS;
}
