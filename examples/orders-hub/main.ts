// Reads a file of orders, routes them by rule, sends them to live WebSocket clients and to a file, and loses none.
// Needs nothing but `npm ci`. `npm start -- --help` lists what it can be told.
import { relative } from 'node:path';
import process from 'node:process';
import { observe } from 'sluice';
import { onSignal } from 'sluice/on-signal';
import { configFor } from './config.js';
import { generateOrders } from './generate-orders.js';
import { startHub } from './hub.js';
import { commandLine, USAGE, type CommandLine } from './options.js';
import { accountOf, showHub } from './view.js';

// Whoever read it may be gone, as `| cat` is after the same Ctrl-C. What is read still has to be settled.
process.stdout.on('error', () => undefined);

try {
  const asked = commandLine(process.argv.slice(2));
  if (asked === undefined) console.log(USAGE);
  else await main(asked);
} catch (error) {
  console.error(`npm start: ${(error as Error).message}`);
  // Not left to the event loop: a hub that failed may still hold its server open.
  process.exit(1);
}

/** A path as it would be typed here, where that is shorter. */
function near(path: string): string {
  const way = relative(process.cwd(), path);
  return way.length < path.length ? way : path;
}

async function main({ input, rows, config, state, fresh }: CommandLine): Promise<void> {
  if (rows !== undefined) await generateOrders(input, rows);
  const found = await configFor(input, config);
  const hub = await startHub({ input, state, fresh, config: found });
  const finish = async (): Promise<boolean> => {
    view.hide();
    await hub.close();
    const { text, balanced } = accountOf(hub);
    console.log(text);
    return balanced;
  };
  // Also for a signal that comes while it is on its way.
  let finishing: Promise<boolean> | undefined;
  const finishOnce = (): Promise<boolean> => (finishing ??= finish());

  let interrupted = false;
  const detach = onSignal(hub.running, {
    onStop: (signal) => {
      interrupted = true;
      view.note(`${signal}: draining; Ctrl-C again ends at once`);
    },
    onStopped: async (report) => {
      await finishOnce();
      const { unfinished } = report as { readonly unfinished: readonly unknown[] };
      console.log(`Stopped. ${unfinished.length} rows were handed back; start again to go on from here.`);
    },
  });
  // From here on Ctrl-C drains, so whoever reads this may press it.
  console.log(`Reading ${near(input)}\nWriting ${near(state)}`);
  const view = showHub(hub, process.stdout);
  // Rows wait while a disk is full: whoever watches has to know for what.
  observe((event) => {
    if (event.type !== 'status.changed' || event.connector !== 'file') return;
    if (event.to === 'degraded') view.note((event.reason as Error).message);
    else if (event.from === 'degraded' && event.to === 'connected') view.note('There is room again');
  });
  try {
    await hub.running.done;
  } catch (error) {
    view.hide();
    throw error;
  }
  if (interrupted) return;
  if (hub.running.health().sources[0]?.counts.emitted === 0) {
    console.log('No row was left to do. npm start -- --fresh begins anew.');
  }
  if (!(await finishOnce())) process.exitCode = 1;
  detach();
}
