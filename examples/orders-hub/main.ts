// Reads a file of orders, routes them by rule, sends them to live WebSocket clients and to a file, and loses none.
//   npm start                          200,000 orders, made on first use
//   npm start -- --input FILE          any CSV file whose columns a config in configs/ knows; --config FILE names another
//   npm start -- --fresh               begins anew instead of going on from the saved offset
import { rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { onSignal } from 'sluice/on-signal';
import { configFor } from './config.js';
import { generateOrders } from './generate-orders.js';
import { startHub } from './hub.js';
import { accountOf, showHub } from './view.js';

const { values } = parseArgs({
  options: {
    input: { type: 'string' },
    config: { type: 'string' },
    state: { type: 'string' },
    rows: { type: 'string', default: '200000' },
    fresh: { type: 'boolean', default: false },
  },
});
const folder = fileURLToPath(new URL('./data/', import.meta.url));
const input = values.input ?? join(folder, 'orders.csv');
const state = values.state ?? join(folder, basename(input, '.csv'));
if (values.fresh) rmSync(state, { recursive: true, force: true });
if (values.input === undefined) await generateOrders(input, Number(values.rows));

const hub = await startHub({ input, state, config: await configFor(input, values.config) });
console.log(`Reading ${input}\nWriting ${state}`);
const hide = showHub(hub, process.stdout);
const finish = async (): Promise<boolean> => {
  hide();
  await hub.close();
  const { text, balanced } = accountOf(hub);
  console.log(text);
  return balanced;
};

let interrupted = false;
const detach = onSignal(hub.running, {
  onStop: (signal) => {
    interrupted = true;
    console.log(`\n${signal}: draining`);
  },
  onStopped: async (report) => {
    await finish();
    const { unfinished } = report as { readonly unfinished: readonly unknown[] };
    console.log(`Stopped. ${unfinished.length} rows were handed back; start again to go on from here.`);
  },
});
await hub.running.done;
if (!interrupted) {
  detach();
  if (hub.running.health().sources[0]?.counts.emitted === 0) {
    console.log('Every row was done by an earlier run. npm start -- --fresh begins anew.');
  }
  if (!(await finish())) process.exitCode = 1;
}
