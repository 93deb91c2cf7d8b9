import { spawnSync } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  constants,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readTree } from './tree.js';

interface Counted {
  readonly said: string;
  readonly last: string;
  readonly code: number;
}

/** What `scripts/count-tests.mjs` says of these reports, what it says last, and how it ends. */
function count(failedSteps: number, ...reports: readonly object[]): Counted {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-count-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [at, report] of reports.entries()) writeFileSync(join(folder, `${at}.json`), JSON.stringify(report));
  const { stdout, status } = spawnSync(process.execPath, ['scripts/count-tests.mjs', folder, String(failedSteps)], {
    encoding: 'utf8',
  });
  return { said: stdout, last: stdout.trimEnd().split('\n').at(-1) ?? '', code: status ?? -1 };
}

const report = (passed: number, failed: number): object => ({
  numPassedTests: passed,
  numFailedTests: failed,
  numPendingTests: 0,
  numTodoTests: 0,
});

describe('the count of .ci/run', () => {
  it('is the sum of all reports', () => {
    expect(count(0, report(400, 0), report(12, 0))).toMatchObject({ last: '412 passed, 0 failed', code: 0 });
  });

  it('ends with 1 when a test failed', () => {
    expect(count(1, report(400, 2), report(12, 1))).toMatchObject({ last: '412 passed, 3 failed', code: 1 });
  });

  it('counts a failed step without a failed test', () => {
    expect(count(1, report(412, 0))).toMatchObject({ last: '412 passed, 1 failed', code: 1 });
  });

  it('does not take no tests for success', () => {
    expect(count(0)).toMatchObject({ last: '0 passed, 1 failed', code: 1 });
  });

  it('names the tests that failed, and the files that could not be run, each with its reason', () => {
    const at = (name: string): string => join(process.cwd(), name);
    const { said } = count(1, {
      ...report(1, 1),
      testResults: [
        {
          name: at('test/a.test.ts'),
          status: 'failed',
          assertionResults: [
            { status: 'passed', fullName: 'adds up' },
            { status: 'failed', fullName: 'takes away', failureMessages: ['expected 3 to be 2\n    at a.test.ts:7'] },
          ],
        },
        { name: at('test/b.test.ts'), status: 'failed', message: 'Cannot find module', assertionResults: [] },
        { name: at('test/c.test.ts'), status: 'passed', assertionResults: [{ status: 'passed', fullName: 'holds' }] },
      ],
    });
    expect(said).toContain('FAILED test/a.test.ts > takes away\n    expected 3 to be 2\n');
    expect(said).toContain('FAILED test/b.test.ts\n    Cannot find module\n');
    expect(said).not.toContain('adds up');
    expect(said).not.toContain('test/c.test.ts');
  });
});

// Stands for npm and npx: says what it was called with and what was said of brokers, leaves a report where it is asked for one,
// and fails at $FAIL.
const STAND_IN = `#!/usr/bin/env bash
echo "\${TEST_BROKERS:-}|$(basename "$0") $*" >>"$CALLS"
if [[ -n \${TEST_REPORT:-} ]]; then echo '{"numPassedTests":10,"numFailedTests":0,"numPendingTests":0}' >"$TEST_REPORT"; fi
[[ -z $FAIL || "$*" != *"$FAIL"* ]]
`;

interface Rehearsal {
  readonly calls: string[];
  /** What each call was told of brokers. */
  readonly brokers: readonly string[];
  readonly said: string[];
  readonly code: number;
}

/** What .ci/run called, said last and ended with, where npm and npx are stand-ins and the one call fails. */
function rehearse(fail: string): Rehearsal {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-ci-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const part of ['.ci', 'scripts']) cpSync(part, join(folder, part), { recursive: true });
  mkdirSync(join(folder, 'bin'));
  for (const name of ['npm', 'npx']) {
    writeFileSync(join(folder, 'bin', name), STAND_IN);
    chmodSync(join(folder, 'bin', name), 0o755);
  }
  const calls = join(folder, 'calls');
  const { stdout, status } = spawnSync(join(folder, '.ci/run'), {
    encoding: 'utf8',
    env: {
      ...process.env,
      PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`,
      CALLS: calls,
      FAIL: fail,
      TEST_BROKERS: '',
      TEST_REPORT: '',
    },
  });
  const lines = readFileSync(calls, 'utf8').trim().split('\n');
  return {
    calls: lines.map((line) => line.split('|')[1] ?? ''),
    brokers: lines.map((line) => line.split('|')[0] ?? ''),
    said: stdout.trimEnd().split('\n'),
    code: status ?? -1,
  };
}

const own = process.versions.node.split('.')[0];
const others = ['20', '22', '24', '26'].filter((major) => major !== own);
/** Reports: the one of `npm test`, and one of each other Node. */
const passed = 10 * (1 + others.length);

describe('.ci/run', () => {
  it('runs the unit suite once on each of Node 20, 22, 24 and 26', () => {
    const { calls, said, code } = rehearse('');
    const majors = calls.flatMap((call) => /-p node@(\d+) .*--project unit$/.exec(call)?.[1] ?? []);
    expect(majors).toEqual(others);
    expect(calls.filter((call) => call === 'npm test')).toHaveLength(1);
    expect([said.at(-1), code]).toEqual([`${passed} passed, 0 failed`, 0]);
  });

  it('brings the brokers first, and lets no suite do without (S2.38)', () => {
    const { calls, brokers } = rehearse('');
    expect(calls[0]).toBe('npm run brokers:install');
    expect(brokers[calls.indexOf('npm test')]).toBe('required');
  });

  it.each([
    ['no broker', 'run brokers:install', 'brokers'],
    ['npm ci', 'ci', 'npm ci'],
    ['npm start', 'start', 'npm start'],
    ['a step of the lane beside the tests', 'run build', 'build'],
    ['another Node', `node@${others[0]}`, `unit suite, Node ${others[0]}`],
  ])('goes on after %s failed, names it and ends with 1', (_, fail, name) => {
    const { calls, said, code } = rehearse(fail);
    expect(calls.at(-1)).toContain(`-p node@${others.at(-1)} `);
    expect(said).toContain(`failed step: ${name}`);
    expect(said.at(-1)).toMatch(/^\d+ passed, 1 failed$/);
    expect(code).toBe(1);
  });

  const project = readTree('.ci', 'README.md', 'package.json');
  const script = project.get('.ci/run') ?? '';
  const { scripts } = JSON.parse(project.get('package.json') ?? '{}') as { scripts: Record<string, string> };

  it('can be run, and then runs what the README tells to type', () => {
    expect(() => accessSync('.ci/run', constants.X_OK)).not.toThrow();
    expect(script).toContain('set -euo pipefail');
    const { calls } = rehearse('');
    const typed = ['npm run brokers:install', 'npm ci', 'npm test'];
    expect(calls.filter((call) => typed.includes(call))).toEqual(typed);
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
