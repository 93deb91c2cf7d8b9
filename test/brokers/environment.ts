import type { Broker, Way } from './broker.js';

/** The broker that an environment variable points to. It is used and never ended. */
export function environment(variable: string): Way {
  return async () => {
    const url = process.env[variable] ?? '';
    if (url === '') return `${variable} is not set`;
    const how = `that of ${variable}`;
    return { how, open: async () => someoneElses(url, how) };
  };
}

function someoneElses(url: string, how: string): Broker {
  const refuse = async (): Promise<void> => {
    throw new Error(`The broker is ${how}: it is not ended or started by a test.`);
  };
  const leave = async (): Promise<void> => {};
  return {
    url,
    port: Number(/:(\d+)(?!.*:\d)/.exec(url)?.[1] ?? 0),
    how,
    isOwn: false,
    kill: refuse,
    stop: refuse,
    start: refuse,
    close: leave,
    [Symbol.asyncDispose]: leave,
  };
}
