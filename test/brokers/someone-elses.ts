import type { Broker } from './broker.js';

/** The broker that an environment variable points to. It is used and never ended. */
export function someoneElses(name: string, variable: string): Broker | undefined {
  const url = process.env[variable] ?? '';
  if (url === '') return undefined;
  const refuse = async (): Promise<void> => {
    throw new Error(`${name} of ${variable} belongs to someone else: it is not ended or started here.`);
  };
  const leave = async (): Promise<void> => {};
  return {
    url,
    port: Number(/:(\d+)(?!.*:\d)/.exec(url)?.[1] ?? 0),
    how: `${name} of ${variable}`,
    isOwn: false,
    kill: refuse,
    stop: refuse,
    start: refuse,
    close: leave,
    [Symbol.asyncDispose]: leave,
  };
}
