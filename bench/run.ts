// npm run bench [-- NAME …]: each file in a process of its own, so that none inherits another's heap or compiled code.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('./', import.meta.url));
const wanted = process.argv.slice(2);
const files = readdirSync(folder).filter(
  (file) => file.endsWith('.bench.ts') && (wanted.length === 0 || wanted.some((name) => file.startsWith(name))),
);
let failed = 0;
for (const file of files) {
  console.log(`\n=== ${file.replace('.bench.ts', '')}`);
  const { status } = spawnSync(process.execPath, ['--expose-gc', '--import', 'tsx', `${folder}${file}`], {
    stdio: 'inherit',
    env: { ...process.env, TSX_TSCONFIG_PATH: `${folder}tsconfig.json` },
  });
  if (status !== 0) failed += 1;
}
if (failed > 0) {
  console.log(`\n${failed} of ${files.length} benchmarks missed a target or failed`);
  process.exitCode = 1;
}
