/**
 * Checks what would be published, the way a user meets it: packed, unpacked into an empty project, with RxJS beside it
 * and no client installed. Packing builds it.
 *
 * 1. every entry can be imported and required, so no entry loads a client before it is subscribed, except for those of
 *    LOADED_AT_ONCE, which get theirs;
 * 2. every entry for browsers bundles for a browser, every other one is refused there with its name in the text;
 * 3. a program that imports every entry type-checks without skipping libraries, and without the types of Node if it imports
 *    only entries for browsers;
 * 4. every example prints its Output block when it runs against the package instead of the sources.
 */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build, type BuildFailure } from 'esbuild';
import { expectedOutput } from './expected-output.js';

interface Manifest {
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
}

const root = resolve(import.meta.dirname, '..');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
const entries = Object.entries(manifest.exports).flatMap(([path, conditions]) =>
  typeof conditions === 'string'
    ? []
    : [{ name: `sluice${path.slice(1)}`, forBrowsers: conditions['default'] !== undefined }],
);
const clients = Object.keys(manifest.peerDependencies).filter((name) => name !== 'rxjs');
/** Entries that need their client as soon as they are imported. */
const LOADED_AT_ONCE: Readonly<Record<string, string>> = {
  'sluice/csv': 'papaparse',
  'sluice/json-schema': 'fast-json-stringify',
};
const faults: string[] = [];

const project = mkdtempSync(join(tmpdir(), 'sluice-package-'));
try {
  install();
  load();
  await bundle();
  typeCheck();
  runExamples();
} finally {
  rmSync(project, { recursive: true, force: true });
}
for (const fault of faults) console.error(`FAULT ${fault}`);
if (faults.length > 0) process.exitCode = 1;

function install(): void {
  const packed = run('npm', ['pack', '--silent', '--pack-destination', project], root).trim();
  const target = join(project, 'node_modules', 'sluice');
  mkdirSync(target, { recursive: true });
  run('tar', ['-xzf', join(project, basename(packed)), '-C', target, '--strip-components=1'], root);
  link('rxjs');
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }));
}

function link(name: string): void {
  const from = join(root, 'node_modules', name);
  const to = join(project, 'node_modules', name);
  mkdirSync(dirname(to), { recursive: true });
  if (existsSync(from) && !existsSync(to)) symlinkSync(from, to);
}

function load(): void {
  const all = entries.map((entry) => entry.name);
  loadEach(all.filter((name) => LOADED_AT_ONCE[name] === undefined));
  for (const client of Object.values(LOADED_AT_ONCE)) link(client);
  loadEach(all.filter((name) => LOADED_AT_ONCE[name] !== undefined));
}

function loadEach(names: readonly string[]): void {
  write('import.mjs', names.map((name) => `await import('${name}');`).join('\n'));
  write('require.cjs', names.map((name) => `require('${name}');`).join('\n'));
  for (const file of ['import.mjs', 'require.cjs']) attempt(file, () => run('node', [file], project));
  const own = names.map((name) => LOADED_AT_ONCE[name] ?? []).flat();
  console.log(`loads with ${own.join(' and ') || 'no client'}: ${names.join(', ')}`);
}

async function bundle(): Promise<void> {
  for (const { name, forBrowsers } of entries) {
    const { errors, outputFiles } = await build({
      stdin: { contents: `export * from '${name}';`, resolveDir: project },
      bundle: true,
      minify: true,
      write: false,
      platform: 'browser',
      format: 'esm',
      external: ['rxjs', ...[LOADED_AT_ONCE[name] ?? []].flat()],
      logLevel: 'silent',
    }).catch((failure: unknown) => ({ errors: (failure as BuildFailure).errors, outputFiles: [] }));
    const said = errors.map((error) => error.text).join('; ');
    const [output] = outputFiles;
    if (forBrowsers && output === undefined) faults.push(`${name} does not bundle for browsers: ${said}`);
    if (!forBrowsers && !said.includes(name)) faults.push(`${name} is not refused for browsers: ${said}`);
    if (output === undefined) console.log(`${name}: for Node only`);
    else {
      console.log(`${name}: ${output.contents.length} bytes minified, ${gzipSync(output.contents).length} bytes gzip`);
    }
  }
}

function typeCheck(): void {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const common = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--target', 'es2022', '--lib', 'es2023,dom'];
  const consume = (file: string, names: readonly string[], options: readonly string[]): void => {
    write(file, names.map((name, at) => `import * as entry${at} from '${name}';\nvoid entry${at};`).join('\n'));
    for (const resolution of [
      ['--module', 'nodenext'],
      ['--module', 'esnext', '--moduleResolution', 'bundler', '--customConditions', 'node'],
    ]) {
      const label = ['types of', file, ...options, ...resolution].join(' ');
      attempt(label, () => run('node', [tsc, ...common, ...options, ...resolution, file], project));
      console.log(label);
    }
  };
  const forBrowsers = entries.filter((entry) => entry.forBrowsers);
  consume(
    'browser.ts',
    forBrowsers.map(({ name }) => name),
    [],
  );
  // Who imports what runs in Node alone has the types of Node.
  link('@types/node');
  // It brings its own types, and who imports its entry has it.
  link('kafkajs');
  link('amqplib');
  consume(
    'node.ts',
    entries.map(({ name }) => name),
    ['--types', 'node'],
  );
}

function runExamples(): void {
  // Now with the clients, as the examples' first comments ask for.
  for (const client of clients) link(client);
  const folder = join(root, 'examples');
  const files = existsSync(folder) ? readdirSync(folder) : [];
  for (const file of files.filter((name) => /^\d\d-.*\.ts$/.test(name))) {
    const text = readFileSync(join(folder, file), 'utf8');
    const script = file.replace(/\.ts$/, '.mjs');
    attempt(file, () => {
      run(
        join(root, 'node_modules', '.bin', 'esbuild'),
        [join(folder, file), '--format=esm', `--outfile=${script}`],
        project,
      );
      const printed = run('node', [script], project).trimEnd();
      if (printed !== expectedOutput(text)) throw new Error(`printed\n${printed}`);
    });
    console.log(`example ${file}`);
  }
}

function write(file: string, text: string): void {
  writeFileSync(join(project, file), `${text}\n`);
}

function attempt(label: string, work: () => unknown): void {
  try {
    work();
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    faults.push(`${label}: ${String(error)}\n${stdout}${stderr}`);
  }
}

function run(command: string, args: readonly string[], cwd: string): string {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: 'pipe', timeout: 120_000 });
}
