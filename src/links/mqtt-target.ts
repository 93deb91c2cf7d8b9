import { configInvalid } from '../options.js';

/** What the client is to connect to, as it wants it. @internal */
export interface MqttTarget {
  readonly protocol: 'mqtt' | 'mqtts' | 'ws' | 'wss';
  readonly hostname: string;
  readonly port: number | undefined;
  /** Over WebSocket: the path and what follows it. */
  readonly path: string | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly isSecure: boolean;
}

/**
 * Takes the URL of a broker apart. What is wrong with it is told without it: it may hold a password.
 *
 * @internal
 */
export function mqttTarget(url: string): MqttTarget {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^(mqtts?|wss?):$/.test(parsed.protocol) || parsed.hostname === '')
    throw configInvalid('mqttLink', [
      `'url': expected mqtt://host, mqtts://host, ws://host or wss://host, special characters of a login as %…`,
    ]);
  const protocol = parsed.protocol.slice(0, -1) as MqttTarget['protocol'];
  if (parsed.hash !== '' || (parsed.search !== '' && !protocol.startsWith('ws')))
    throw configInvalid('mqttLink', [
      `'url': expected nothing behind a ? or #: what stands there is an option, as clientId; special characters of a login as %…`,
    ]);
  // Nobody would look at it; with an @ in it, what is taken for the host is the first half of a login.
  if (!protocol.startsWith('ws') && !['', '/'].includes(parsed.pathname))
    throw configInvalid('mqttLink', [
      `'url': expected no path behind the host: MQTT has none; special characters of a login as %…`,
    ]);
  return {
    protocol,
    hostname: parsed.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: parsed.port === '' ? undefined : Number(parsed.port),
    path: protocol.startsWith('ws') ? `${parsed.pathname}${parsed.search}` : undefined,
    username: parsed.username === '' ? undefined : decoded(parsed.username),
    password: parsed.password === '' ? undefined : decoded(parsed.password),
    isSecure: protocol === 'mqtts' || protocol === 'wss',
  };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw configInvalid('mqttLink', [`'url': expected user and password with % written as %25`]);
  }
}
