// npm run bench [-- NAME …]: each file in a process of its own, so that none inherits another's heap or compiled code.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { MISSED, type Verdict } from './compare.js';
import { settings } from './settings.js';

const folder = fileURLToPath(new URL('./', import.meta.url));
const { names } = settings;
const files = readdirSync(folder).filter(
  (file) => file.endsWith('.bench.js') && (names.length === 0 || names.some((name) => file.startsWith(name))),
);
if (files.length === 0) throw new Error(`no benchmark is called ${names.join(', ')}`);
const load = (loadavg()[0] ?? 0).toFixed(1);
console.log(`${cpus()[0]?.model ?? 'processor'}, ${cpus().length} cores, Node ${process.versions.node}, load ${load}`);

const verdicts: Verdict[] = [];
const broken: string[] = [];
for (const file of files) {
  const name = file.replace('.bench.js', '');
  console.log(`\n=== ${name}`);
  const child = fork(`${folder}${file}`, process.argv.slice(2), { execArgv: ['--expose-gc'] });
  child.on('message', (said: Verdict) => verdicts.push({ ...said, title: `${name}: ${said.title}` }));
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0 && code !== MISSED) broken.push(name);
}

const width = Math.max(0, ...verdicts.map(({ title }) => title.length));
console.log(`\n=== summary (${Math.round(process.uptime())} s)`);
for (const { title, met, seen, wanted } of verdicts)
  console.log(`${met ? 'met   ' : 'MISSED'} ${title.padEnd(width)} ${seen.padStart(14)}  of ${wanted}`);
for (const name of broken) console.log(`FAILED ${name}`);
if (broken.length > 0 || verdicts.some(({ met }) => !met)) process.exitCode = 1;
