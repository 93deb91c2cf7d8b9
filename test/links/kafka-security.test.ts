import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { backoff } from 'sluice';
import { kafkaLink, kafkaSource } from 'sluice/kafka';
import { collect } from '../helpers/collect.js';
import { KAFKA_DRIVERS } from '../helpers/kafka-drivers.js';
import { until } from '../helpers/until.js';

function refusal(tls: unknown, sasl?: unknown): string {
  try {
    kafkaLink({ brokers: ['localhost:9092'], tls: tls as never, sasl: sasl as never });
    return '';
  } catch (error) {
    return inspect(error, { depth: 10 });
  }
}

describe('the security of a link', () => {
  it('is taken as it should be', () => {
    expect(refusal(true)).toBe('');
    expect(
      refusal(
        { ca: '-----BEGIN CERTIFICATE-----', servername: 'broker' },
        { mechanism: 'plain', username: 'u', password: '' },
      ),
    ).toBe('');
    expect(refusal(undefined, { mechanism: 'plain', username: 'u', password: () => 'p' })).toBe('');
    expect(refusal(undefined, { mechanism: 'oauthbearer', token: () => 't' })).toBe('');
  });

  it.each([
    [{ certificate: 'pem' }, undefined, `unknown option 'certificate'`],
    [
      undefined,
      { mechanism: 'gssapi' },
      `'mechanism': expected one of plain, scram-sha-256, scram-sha-512, oauthbearer, got 'gssapi'`,
    ],
    [undefined, { mechanism: undefined }, `'mechanism' is missing: expected one of plain`],
    [undefined, { mechanism: 'plain', username: 'u' }, `'password' is missing`],
    [undefined, { mechanism: 'plain', usernam: 'u', password: 'p' }, `did you mean 'username'?`],
    [undefined, { mechanism: 'oauthbearer', token: 't' }, 'expected a function'],
  ])('is refused: %j %j', (tls, sasl, text) => {
    expect(refusal(tls, sasl)).toContain(text);
  });

  it.each(KAFKA_DRIVERS)(
    'is asked for before it connects over %s, tried again where it cannot be told, and ends with what is none (S14)',
    async (driver) => {
      let asked = 0;
      const link = kafkaLink({
        driver,
        brokers: ['127.0.0.1:1'],
        tls() {
          asked += 1;
          if (asked === 1) throw new Error('The vault is sealed.');
          return { key: 'hidden' };
        },
        reconnect: backoff({ initialMs: 5, maxMs: 10, minMs: 1 }),
      });
      const { errors } = collect(kafkaSource(link, { topics: ['a'], group: 'g' }));
      await until(() => expect(errors).toMatchObject([{ code: 'CONFIG_INVALID' }]));
      expect(asked).toBe(2);
      expect(inspect(errors, { depth: 10 })).not.toContain('hidden');
    },
  );

  it('shows no secret when it is refused (SEC-02, S21)', () => {
    const sasl = { mechanism: 'plain', username: 7, password: ['hidden'], passwort: 'hidden' };
    expect(refusal({ passphrase: 'hidden', extra: 'hidden' }, sasl)).toContain('kafkaLink: tls: ');
    expect(refusal({ passphrase: 'hidden', extra: 'hidden' }, sasl)).not.toContain('hidden');
    expect(refusal(undefined, sasl)).toContain(`'username'`);
    expect(refusal(undefined, sasl)).not.toContain('hidden');
  });

  it('sends no login over a network in the clear (S13)', () => {
    const sasl = { mechanism: 'plain', username: 'u', password: 'hidden' } as const;
    const refused = "'sasl': credentials would travel unencrypted to far; use tls, or set dangerouslyAllowPlainText";
    expect(() => kafkaLink({ brokers: ['localhost:9092', 'far:9092'], sasl })).toThrow(refused);
    expect(() => kafkaLink({ brokers: ['far:9092'], tls: false, sasl })).toThrow(refused);
    expect(() => kafkaLink({ brokers: ['far:9092'], tls: true, sasl })).not.toThrow();
    expect(() => kafkaLink({ brokers: ['far:9092'] })).not.toThrow();
    expect(() => kafkaLink({ brokers: ['localhost:9092', '127.0.0.1:1', '[::1]:2'], sasl })).not.toThrow();
    expect(() => kafkaLink({ brokers: ['far:9092'], sasl, dangerouslyAllowPlainText: true })).not.toThrow();
  });
});
