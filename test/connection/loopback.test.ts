import { expect, it } from 'vitest';
import { isLoopback } from '../../src/connection/loopback.js';

it('knows the names and addresses of this machine', () => {
  for (const name of ['localhost', 'a.localhost', '127.0.0.1', '127.9.9.9', '[::1]', '::1', '::ffff:127.0.0.1'])
    expect(isLoopback(name)).toBe(true);
  for (const name of ['localhost.example', '128.0.0.1', '10.0.0.1', '0.0.0.0', '::', '::2', '::ffff:10.0.0.1', ''])
    expect(isLoopback(name)).toBe(false);
});
