import { spawnSync } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readTree } from './tree.js';

/** What `scripts/count-tests.mjs` says last of these reports, and how it ends. */
function count(failedSteps: number, ...reports: readonly object[]): { readonly last: string; readonly code: number } {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-count-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [at, report] of reports.entries()) writeFileSync(join(folder, `${at}.json`), JSON.stringify(report));
  const { stdout, status } = spawnSync(process.execPath, ['scripts/count-tests.mjs', folder, String(failedSteps)], {
    encoding: 'utf8',
  });
  return { last: stdout.trimEnd().split('\n').at(-1) ?? '', code: status ?? -1 };
}

const report = (passed: number, failed: number): object => ({
  numPassedTests: passed,
  numFailedTests: failed,
  numPendingTests: 0,
  numTodoTests: 0,
});

describe('the count of .ci/run', () => {
  it('is the sum of all reports', () => {
    expect(count(0, report(400, 0), report(12, 0))).toEqual({ last: '412 passed, 0 failed', code: 0 });
  });

  it('ends with 1 when a test failed', () => {
    expect(count(1, report(400, 2), report(12, 1))).toEqual({ last: '412 passed, 3 failed', code: 1 });
  });

  it('counts a failed step without a failed test', () => {
    expect(count(1, report(412, 0))).toEqual({ last: '412 passed, 1 failed', code: 1 });
  });

  it('does not take no tests for success', () => {
    expect(count(0)).toEqual({ last: '0 passed, 1 failed', code: 1 });
  });
});

describe('.ci/run', () => {
  const project = readTree('.ci', 'README.md', 'package.json');
  const script = project.get('.ci/run') ?? '';
  const { scripts } = JSON.parse(project.get('package.json') ?? '{}') as { scripts: Record<string, string> };

  it('can be run, and first runs what the README tells to type', () => {
    expect(() => accessSync('.ci/run', constants.X_OK)).not.toThrow();
    expect(script).toContain('set -euo pipefail');
    expect(/^.*\bstep\b.*npm.*$/m.exec(script.split('step() {')[1] ?? '')?.[0]).toContain(
      "bash -c 'npm ci && npm test'",
    );
    for (const command of ['npm ci && npm start', 'npm ci && npm test']) {
      expect(project.get('README.md')).toContain(`\`${command}\``);
    }
  });

  it('calls scripts that are there', () => {
    const called = [...script.matchAll(/npm run ([\w:]+)/g)].map(([, name = '']) => name);
    expect(called.filter((name) => scripts[name] === undefined)).toEqual([]);
    expect(called.length).toBeGreaterThan(5);
  });
});
