import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, type BuildFailure } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOADED_AT_ONCE, readTree } from './tree.js';

// A copy with no node_modules above it: what a user has who installed no client.
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-bundles-'));
  cpSync('src', join(folder, 'src'), { recursive: true });
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const own = (entry: string): string[] => [LOADED_AT_ONCE[entry] ?? []].flat();

/** What a bundle for browsers would still load from outside, and what keeps it from being built. */
async function bundle(entry: string): Promise<{ readonly modules: string[]; readonly faults: string[] }> {
  try {
    const { metafile } = await build({
      entryPoints: [join(folder, entry)],
      bundle: true,
      write: false,
      metafile: true,
      platform: 'browser',
      format: 'esm',
      external: ['rxjs', ...own(entry)],
      logLevel: 'silent',
      outdir: folder,
    });
    const imports = Object.values(metafile.inputs).flatMap((input) => input.imports);
    const outside = imports.filter((one) => one.external === true && one.kind === 'import-statement');
    return { modules: [...new Set(outside.map((one) => one.path))], faults: [] };
  } catch (failure) {
    return { modules: [], faults: (failure as BuildFailure).errors.map((error) => error.text) };
  }
}

describe('bundles for browsers, with no client installed', () => {
  const manifest = JSON.parse(readTree('package.json').get('package.json') ?? '') as {
    exports: Record<string, string | Record<string, string>>;
  };
  const forBrowsers = Object.values(manifest.exports).flatMap((conditions) =>
    typeof conditions === 'string' || conditions['default'] === undefined
      ? []
      : [conditions['default'].replace('./dist/', 'src/').replace(/\.js$/, '.ts')],
  );

  it.each(forBrowsers)('%s loads RxJS and nothing else but its own client (S0.1)', async (entry) => {
    const { modules, faults } = await bundle(entry);
    expect(faults).toEqual([]);
    expect(modules.filter((module) => module.split('/')[0] !== 'rxjs')).toEqual(own(entry));
  });

  it('finds a module of Node and a client', async () => {
    writeFileSync(join(folder, 'node.ts'), `export { open } from 'node:fs/promises';`);
    writeFileSync(join(folder, 'client.ts'), `export { WebSocket } from 'ws';`);
    writeFileSync(join(folder, 'late.ts'), `export const late = () => import('ws').catch(() => undefined);`);
    expect((await bundle('node.ts')).faults).toHaveLength(1);
    expect((await bundle('client.ts')).faults).toHaveLength(1);
    expect((await bundle('late.ts')).faults).toEqual([]);
  });
});
