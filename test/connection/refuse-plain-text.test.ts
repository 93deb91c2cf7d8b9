import { expect, it } from 'vitest';
import { refusePlainText, type CredentialsOnTheWay } from '../../src/connection/refuse-plain-text.js';

const WAY: CredentialsOnTheWay = {
  areSent: true,
  isSecure: false,
  hosts: ['localhost', 'far'],
  dangerouslyAllowPlainText: undefined,
};
const refused = (change: Partial<CredentialsOnTheWay>) => (): void =>
  refusePlainText('someLink', { ...WAY, ...change }, 'url', 'amqps:');

it('refuses credentials that would cross a network in the clear (S13)', () => {
  const text = "'url': credentials would travel unencrypted to far; use amqps:, or set dangerouslyAllowPlainText";
  for (const change of [{}, { dangerouslyAllowPlainText: false }, { hosts: ['far', 'localhost'] }]) {
    expect(refused(change)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    expect(refused(change)).toThrow(text);
  }
});

it.each([{ areSent: false }, { isSecure: true }, { dangerouslyAllowPlainText: true }, { hosts: ['localhost', '::1'] }])(
  'lets the others pass: %j',
  (change) => expect(refused(change)).not.toThrow(),
);
