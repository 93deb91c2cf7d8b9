import { pbkdf2Sync } from 'node:crypto';
import { writeFileSync } from 'node:fs';

/** Writes a file of passwords for Mosquitto with one user; gives the line of its configuration that names it. */
export function mqttPasswords(file: string, user: string, password: string): string {
  const salt = Buffer.from('0123456789ab');
  const hash = pbkdf2Sync(password, salt, 101, 64, 'sha512').toString('base64');
  writeFileSync(file, `${user}:$7$101$${salt.toString('base64')}$${hash}\n`);
  return `password_file ${file}`;
}
