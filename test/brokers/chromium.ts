import { createServer } from 'node:http';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { Found } from './broker.js';
import { findBroker } from './find-broker.js';
import { findCommand } from './find-command.js';
import { ownBroker } from './own-broker.js';

/** A browser. Each program that it is given runs in a process of its own. */
export interface Chromium {
  /** Bundles a program for browsers, and opens it in a page; resolves when it was loaded. */
  run(program: string, settings: Readonly<Record<string, string | number>>): Promise<Page>;
  close(): Promise<void>;
}

/** A program in a browser. */
export interface Page {
  /** Where it comes from, as servers are told. */
  readonly origin: string;
  /**
   * What it has said under this name so far.
   *
   * @throws Error with the first fault of the page that nobody caught
   */
  said(name: string): readonly unknown[];
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

// As root there is no sandbox; and nothing is to be fetched, kept or shown but the page.
const FLAGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
  ...['--disable-background-networking', '--disable-component-update'],
];
const FAULT = 'fault';
const HTML = `<!doctype html>
<script>
  let last = Promise.resolve();
  const post = (body) => fetch('/said', { method: 'POST', body });
  globalThis.say = (...words) => {
    const body = JSON.stringify(words);
    last = last.then(() => post(body));
  };
  addEventListener('error', ({ message }) => say('${FAULT}', message));
  addEventListener('unhandledrejection', ({ reason }) => say('${FAULT}', String(reason)));
</script>
<script type="module" src="/program.js"></script>`;

/**
 * A browser for a test: that of `CHROMIUM`, or an installed one.
 *
 * @throws BrokerMissing when there is none
 */
export async function chromium(): Promise<Chromium> {
  return (await findChromium()).open();
}

/** Which one {@link chromium} gives. */
export function findChromium(): Promise<Found<Chromium>> {
  return findBroker('Chromium', [installed]);
}

async function installed(): Promise<Found<Chromium> | string> {
  const named = process.env['CHROMIUM'];
  const command = findCommand(...(named === undefined ? ['chromium', 'chromium-browser', 'google-chrome'] : [named]));
  if (command === undefined) return named === undefined ? 'chromium is not installed' : 'CHROMIUM cannot be run';
  return {
    how: named === undefined ? 'installed' : 'that of CHROMIUM',
    async open() {
      return { run: (program, settings) => open(command, program, settings), close: async () => undefined };
    },
  };
}

async function open(
  command: string,
  program: string,
  settings: Readonly<Record<string, string | number>>,
): Promise<Page> {
  const script = await bundle(program);
  const heard: [string, ...unknown[]][] = [];
  let isLoaded = false;
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://page').pathname;
    if (path === '/said') {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => (body += text));
      request.on('end', () => {
        heard.push(JSON.parse(body) as [string, ...unknown[]]);
        response.end();
      });
      return;
    }
    const isProgram = path === '/program.js';
    isLoaded ||= isProgram;
    response.setHeader('content-type', isProgram ? 'text/javascript' : 'text/html; charset=utf-8');
    response.end(isProgram ? script : HTML);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const origin = `http://127.0.0.1:${port}`;
  const query = new URLSearchParams(Object.entries(settings).map(([name, value]) => [name, String(value)]));
  const folder = await mkdtemp(join(tmpdir(), 'sluice-chromium-'));
  const url = `${origin}/?${query.toString()}`;
  const stopServing = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  const browser = await ownBroker({
    name: 'Chromium',
    command: [command, ...FLAGS, `--user-data-dir=${join(folder, 'profile')}`, url],
    folder,
    port,
    url,
    ready: async () => {
      if (!isLoaded) throw new Error('It has not loaded the page.');
    },
  }).catch(async (error: unknown) => {
    await stopServing();
    throw error;
  });
  const close = async (): Promise<void> => {
    await browser.close();
    await stopServing();
  };
  return {
    origin,
    said(name) {
      const of = (wanted: string): unknown[] => heard.flatMap(([said, ...what]) => (said === wanted ? what : []));
      const [fault] = of(FAULT);
      if (fault !== undefined) throw new Error(`In the page: ${fault as string}`);
      return of(name);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function bundle(program: string): Promise<Uint8Array> {
  const { outputFiles } = await build({
    entryPoints: [program],
    bundle: true,
    write: false,
    platform: 'browser',
    format: 'esm',
    // What Node alone can load stays outside: a page never asks for it.
    external: ['ws'],
    logLevel: 'silent',
  });
  return outputFiles[0]!.contents;
}
