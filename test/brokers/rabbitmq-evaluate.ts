import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findCommand } from './find-command.js';

/** Evaluates Erlang in a broker, as `rabbit_alarm:get_alarms()`, and gives its value as Erlang writes it. */
export type Evaluate = (expression: string) => Promise<string>;

const run = promisify(execFile);

/**
 * For the broker of these variables: with `erl_call`, which only sends what it is given, or where Erlang does not bring it with
 * `rabbitmqctl eval`, which takes a second or two to start an Erlang of its own.
 */
export function rabbitmqEvaluate(
  env: { readonly HOME: string; readonly ERL_EPMD_PORT: string; readonly RABBITMQ_NODENAME: string },
  control: (...words: readonly string[]) => Promise<string>,
): Evaluate {
  const call = findCommand('erl_call');
  if (call === undefined) return (expression) => control('eval', `${expression}.`);
  return async (expression) => {
    const cookie = await readFile(join(env.HOME, '.erlang.cookie'), 'utf8');
    // Calls at the same time are clients of different names.
    const asking = run(call, ['-r', '-sname', env.RABBITMQ_NODENAME, '-c', cookie, '-timeout', '60', '-e'], {
      env: { ...process.env, ...env },
    });
    // Where the broker is not there it ends without reading; its code says so.
    asking.child.stdin?.on('error', () => undefined).end(`${expression}.\n`);
    const { stdout } = await asking;
    const [, value] = /^\{ok, ([^]*)\}$/.exec(stdout) ?? [];
    if (value === undefined) throw new Error(`RabbitMQ answers ${stdout}`);
    return value;
  };
}
