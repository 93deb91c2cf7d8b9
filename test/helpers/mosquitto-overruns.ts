import { connectAsync } from 'mqtt';

/** The first one that keeps its window (`db__ready_for_flight` on the way of an acknowledgement). */
const KEEPS = [2, 0, 13] as const;
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
  const [, ...parts] = /^mosquitto version (\d+)\.(\d+)\.(\d+)/.exec(await said) ?? [];
  await client.endAsync();
  const differing = KEEPS.findIndex((least, at) => Number(parts[at]) !== least);
  return differing >= 0 && parts.length > 0 && Number(parts[differing]) < (KEEPS[differing] as number);
}
