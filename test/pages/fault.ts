// Runs in a browser, for test/brokers/chromium.test.ts.
import { setting } from '../helpers/page.js';

throw new Error(setting('word'));
