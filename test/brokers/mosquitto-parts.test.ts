import { expect, it } from 'vitest';
import { mosquittoParts } from './mosquitto-parts.js';

it('has the listeners and the files of its settings in the container too', () => {
  const { ports, volumes, environment } = mosquittoParts([
    'password_file /tmp/one/passwords',
    'listener 12345 127.0.0.1',
    'certfile /tmp/one/cert.pem',
    'keyfile /tmp/two/key.pem',
  ]);
  expect(ports).toEqual(['127.0.0.1:12345:12345']);
  expect(volumes).toEqual(['/tmp/one:/tmp/one:ro', '/tmp/two:/tmp/two:ro']);
  expect(environment?.['MOSQUITTO_SETTINGS']?.split('\n')).toEqual([
    'user root',
    'password_file /tmp/one/passwords',
    'listener 12345',
    'certfile /tmp/one/cert.pem',
    'keyfile /tmp/two/key.pem',
  ]);
});
