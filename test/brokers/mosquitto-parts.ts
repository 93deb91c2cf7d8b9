import { dirname, isAbsolute } from 'node:path';
import type { ServiceParts } from './composed.js';

const LISTENER = /^listener (\d+) 127\.0\.0\.1$/;

/** What it takes for settings to mean the same in a container: its listeners and the files they name are there too. */
export function mosquittoParts(settings: readonly string[]): ServiceParts {
  const ports = settings.flatMap((line) => LISTENER.exec(line)?.[1] ?? []);
  const files = settings.flatMap((line) => line.split(' ')).filter((word) => isAbsolute(word));
  const folders = new Set(files.map((file) => dirname(file)));
  const lines = [
    // The user that it becomes otherwise may not read the files of a test.
    'user root',
    // Who connects from outside of the container comes to the container's address.
    ...settings.map((line) => line.replace(LISTENER, 'listener $1')),
  ];
  return {
    ports: ports.map((port) => `127.0.0.1:${port}:${port}`),
    volumes: [...folders].map((folder) => `${folder}:${folder}:ro`),
    environment: { MOSQUITTO_SETTINGS: lines.join('\n') },
  };
}
