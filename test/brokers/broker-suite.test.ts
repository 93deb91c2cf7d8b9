import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';

/** Runs a suite whose broker is missing, and gives what became of its test. */
function run(env: Readonly<Record<string, string>>): string {
  const program = `
    import { startVitest } from 'vitest/node';
    const reporter = {
      onTestRunEnd(modules) {
        for (const module of modules)
          for (const test of module.children.allTests()) console.log('RESULT', test.result().state, test.result().note);
        for (const module of modules)
          for (const suite of module.children.allSuites()) for (const { message } of suite.errors()) console.log('ERROR', message);
      },
    };
    const options = { config: false, watch: false, include: ['test/brokers/absent.fixture.ts'], reporters: [reporter] };
    const vitest = await startVitest('test', [], options);
    await vitest.close();
    process.exit(0);`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    env: { ...process.env, TEST_BROKERS: '', ...env },
  });
  return stdout + stderr;
}

it('is skipped with the reason when its broker is missing', () => {
  expect(run({})).toContain('RESULT skipped not run: no Broker: it is not installed');
});

it('fails when its broker is missing and TEST_BROKERS is required', () => {
  const said = run({ TEST_BROKERS: 'required' });
  expect(said).toContain('ERROR no Broker: it is not installed');
  expect(said).not.toContain('RESULT passed');
});
