// Work that gives a promise that is resolved already.
import { compareEach } from './each.js';
import { sized } from './settings.js';

await compareEach('promise', sized(80_000), (n) => Promise.resolve(n + 1));
