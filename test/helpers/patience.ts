import { vi } from 'vitest';

// A condition is awaited as long as a busy machine needs: the default of one second says nothing about the code.
const { waitFor } = vi;
vi.waitFor = (condition, options) => waitFor(condition, options ?? 45_000);
