import { describe, expect, it } from 'vitest';
import { runCase, type Bench, type Harness } from 'sluice/testing';
import { tinyHarness } from './tiny-connector.js';

/** Reads where nothing is ever written. */
function deaf(explain?: Bench['explain']): Harness {
  const right = tinyHarness({ clock: 'real' });
  return {
    ...right,
    withinMs: 50,
    async open(kit) {
      const bench = await right.open(kit);
      const explained = explain === undefined ? {} : { explain };
      return { ...bench, source: (_channel, options) => bench.source('elsewhere', options), ...explained };
    },
  };
}

async function message(harness: Harness): Promise<string> {
  const result = await runCase(harness, 'DEL-02');
  return result.status === 'failed' ? result.error.message : result.status;
}

describe('a case that fails in real time', () => {
  it('says where its sources and sinks stood, what was reported last, and what the far side says', async () => {
    const said = await message(deaf(() => 'disk full'));
    expect(said).toMatch(/within 50 ms/);
    expect(said).toMatch(
      / {2}source tiny connected after .*connecting, connected: got 0, 0 different; credit \d+, unsettled 0/,
    );
    expect(said).toMatch(/-\d+ ms status\.changed tiny connecting to connected/);
    expect(said).toMatch(/ {2}the far side:\ndisk full$/);
  });

  it('says so where the far side gives no answer, and nothing of one that is not asked', async () => {
    const failing = (): Promise<string> => Promise.reject(new Error('not there either'));
    expect(await message(deaf(failing))).toMatch(/ {2}the far side:\ngave no answer: not there either$/);
    expect(await message(deaf())).not.toContain('far side');
  });
});
