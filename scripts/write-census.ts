import { writeFileSync } from 'node:fs';
import { censusPage } from '../test/census/census-page.js';

writeFileSync(new URL('../docs/plain-operators.md', import.meta.url), censusPage());
