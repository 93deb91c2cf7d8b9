import { expect, it } from 'vitest';
import { until } from '../helpers/until.js';
import { brokerSuite } from './broker-suite.js';
import { chromium } from './chromium.js';

brokerSuite('Chromium', chromium, (browser) => {
  it('runs a program in a page, and tells what nobody catches in it', async () => {
    await using page = await browser().run('test/pages/fault.ts', { word: 'a & b' });
    await until(() => expect(() => page.said('anything')).toThrow('In the page: Uncaught Error: a & b'));
  });
});
