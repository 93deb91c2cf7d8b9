import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';

/** A program of a test that runs in a process of its own. */
export interface ChildProgram {
  /** Starts it; arguments are what its `process.argv` has from 2 on. */
  start(...args: readonly string[]): Child;
}

/** One process of a {@link ChildProgram}. */
export interface Child {
  readonly process: ChildProcess;
  /** What it has printed so far. */
  readonly said: string;
  /** Resolves once it has printed that. */
  says(text: string): Promise<void>;
  /** Resolves with its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
}

/**
 * Bundles a program once, so that each start takes milliseconds instead of compiling the sources again. It reaches each
 * process by its standard input: no file is left behind. The program may import `sluice` and its entries.
 */
export async function childProgram(source: string): Promise<ChildProgram> {
  const root = process.cwd();
  const built = await build({
    stdin: { contents: source, resolveDir: root, sourcefile: 'program.ts', loader: 'ts' },
    bundle: true,
    // An import runs what it names, as it does without a bundle.
    ignoreAnnotations: true,
    platform: 'node',
    format: 'esm',
    // Clients that are no modules load what Node brings by `require`.
    banner: { js: `import { createRequire as of } from 'node:module'; const require = of(import.meta.url);` },
    plugins: [leftAsItIs, beside],
    tsconfig: `${root}/tsconfig.json`,
    logLevel: 'silent',
    write: false,
  });
  return {
    start(...args) {
      const how = ['--expose-gc', '--input-type=module', '-'];
      const child = spawn(process.execPath, [...how, ...args], { stdio: 'pipe' });
      // Killed before it has read all of it.
      child.stdin.on('error', () => undefined).end(built.outputFiles[0]?.contents);
      const state = { said: '' };
      const hear = (chunk: Uint8Array): void => void (state.said += String(chunk));
      child.stdout.on('data', hear);
      child.stderr.on('data', hear);
      const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals | null);
      return {
        process: child,
        get said() {
          return state.said;
        },
        async says(text) {
          while (!state.said.includes(text)) {
            const heard = await Promise.race([once(child.stdout, 'data'), ended.then(() => 'ended' as const)]);
            if (heard === 'ended' && !state.said.includes(text)) throw new Error(`It ended and said: ${state.said}`);
          }
        },
        ended,
      };
    },
  };
}

/** This client finds files of its own beside itself. */
const leftAsItIs: Plugin = {
  name: 'left as it is',
  setup({ onResolve }) {
    onResolve({ filter: /^@platformatic\/kafka$/ }, ({ path }) => ({
      path: pathToFileURL(createRequire(import.meta.url).resolve(path)).href,
      external: true,
    }));
  },
};

/** A module that asks where it is finds what lies beside it, also in a bundle. */
const beside: Plugin = {
  name: 'beside',
  setup({ onLoad }) {
    onLoad({ filter: /\/examples\/.*\.ts$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      return { contents: source.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href)), loader: 'ts' };
    });
  },
};
