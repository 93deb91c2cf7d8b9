import { vi } from 'vitest';

// A condition is awaited as long as a busy machine needs: the default of one second says nothing about the code. This is run for each
// file, and files may share their process.
const { waitFor } = vi;
if (waitFor.name !== 'patient') {
  vi.waitFor = function patient(condition, options) {
    return waitFor(condition, options ?? 45_000);
  };
}
