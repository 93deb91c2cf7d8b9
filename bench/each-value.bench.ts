// Work that is done at once.
import { compareEach } from './each.js';
import { sized } from './settings.js';

await compareEach('value', sized(160_000), (n) => n + 1);
