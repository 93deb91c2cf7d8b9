import { makeCertificate, type Certificate } from '../helpers/certificate.js';
import type { KafkaSettings } from './kafka-settings.js';
import type { KafkaLogin } from './kafka.js';

/** How it is formatted, or told later, to let the user in by SCRAM. */
export const SCRAM = { username: 'alice', password: 'wonderland' } as const;

/** A listener with TLS and a login. */
export interface Secured {
  readonly settings: KafkaSettings;
  readonly login: KafkaLogin;
}

/** The settings of a listener named `SECURED`, where there is a program to make a certificate with. */
export function kafkaSecured(port: number): Secured | undefined {
  const certificate = makeCertificate();
  if (typeof certificate === 'string') return undefined;
  const clients = [makeCertificate('first.example'), makeCertificate('renewed.example')] as [Certificate, Certificate];
  const { cert, key } = certificate;
  const { username, password } = SCRAM;
  const module = 'org.apache.kafka.common.security';
  const named = (text: string): string => `listener.name.secured.${text}`;
  // A line of the file of properties: its line ends are written out.
  const lines = (pem: string): string => pem.trim().replaceAll('\n', '\\n');
  return {
    settings: {
      [named('sasl.enabled.mechanisms')]: 'PLAIN,SCRAM-SHA-256',
      [named('plain.sasl.jaas.config')]: `${module}.plain.PlainLoginModule required user_${username}="${password}";`,
      [named('scram-sha-256.sasl.jaas.config')]: `${module}.scram.ScramLoginModule required;`,
      [named('ssl.keystore.type')]: 'PEM',
      [named('ssl.keystore.certificate.chain')]: lines(cert),
      [named('ssl.keystore.key')]: lines(key),
      // Whoever shows a certificate has to show one that is trusted.
      [named('ssl.client.auth')]: 'requested',
      [named('ssl.truststore.type')]: 'PEM',
      [named('ssl.truststore.certificates')]: lines(clients.map((one) => one.cert).join('')),
    },
    login: { url: `localhost:${port}`, ca: cert, username, password, clients },
  };
}
