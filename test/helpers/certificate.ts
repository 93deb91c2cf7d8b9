import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A self-signed certificate that is valid for a day. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** Makes a certificate for a name with the program `openssl`; a text that says so where there is none. */
export function makeCertificate(name = 'localhost'): Certificate | string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-certificate-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`];
  try {
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '1',
        '-keyout',
        key,
        '-out',
        cert,
        ...subject,
      ],
      { stdio: 'ignore' },
    );
    return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'the program openssl is not installed';
    throw error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
