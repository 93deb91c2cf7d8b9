// Work that takes a turn of the event loop.
import { compareEach } from './each.js';
import { sized } from './settings.js';

await compareEach('setImmediate', sized(40_000), (n) => new Promise((done) => setImmediate(done, n + 1)));
