import { defineLink, type Link } from '../connection/define-link.js';
import { insecureWarning } from '../connection/insecure-warning.js';
import {
  closeMqtt,
  MQTT_HEARTBEAT_MS,
  type MqttConnection,
  type MqttPlanner,
  openMqtt,
  pingMqtt,
} from './mqtt-connection.js';
import { wholeSeconds } from './mqtt-message.js';
import { checkMqttLink, type MqttLinkOptions } from './mqtt-options.js';
import { MqttSessions, randomClientId } from './mqtt-sessions.js';

/**
 * One broker, for sources and sinks. Every source has a connection of its own, because a session is one connection and its
 * window belongs to the credit of one source; all sinks share another one, so that no confirmation waits behind what a
 * source does not read yet.
 *
 * @see mqttLink
 */
export interface MqttLink {
  /** The connection that sinks publish over. */
  readonly writing: Link<MqttConnection>;
  /** Makes the connection of one subscription of a source. @internal */
  reading(plan: MqttPlanner, closed: () => void): Link<MqttConnection>;
  /** @internal */
  readonly sessions: MqttSessions;
  /** Of the sessions of its sources; without one nothing is kept for them. */
  readonly clientId: string | undefined;
  readonly protocolVersion: '5' | '3.1.1';
}

/**
 * Connections to an MQTT broker, over TCP, TLS or WebSocket, each of which opens with its first user, closes with its last
 * and comes back by itself.
 *
 * A silent peer is given up after two to three `heartbeatMs`; the broker gives this side up after three. A refused login,
 * a protocol version or client identifier that the broker does not take, and a second client with the same identifier
 * end the link and reach the flow's `error`; everything else is tried again and seen on the status of the source or sink.
 * The password is in no error.
 *
 * @example
 * import { mqttLink, mqttSource } from 'sluice/mqtt';
 * const link = mqttLink({ url: 'mqtt://localhost', clientId: 'billing' });
 * mqttSource(link, { topics: 'orders/+' }).subscribe((message) => message.ack());
 * @throws SluiceError `CONFIG_INVALID` for an option out of range or a URL that is none
 * Errors: `AUTH_FAILED` for a login or a certificate, `CONFIG_INVALID` for the version or the identifier, `PEER_MISSING` where
 * `mqtt` is not installed, with what to type.
 * Source: MQTT 5.0, 3.1 (CONNECT), 4.2 (network connections), 3.1.2.10 (keep alive).
 * @see mqttSource
 * @see mqttSink
 */
export function mqttLink(options: MqttLinkOptions): MqttLink {
  const target = checkMqttLink(options);
  const warn = insecureWarning('mqtt');
  const { isSecure, hostname } = target;
  const way = { isSecure, hosts: [hostname], dangerouslyAllowPlainText: options.dangerouslyAllowPlainText };
  const link: MqttLink['reading'] = (plan, closed) =>
    defineLink<MqttConnection>(
      {
        connector: 'mqtt',
        async connect(context) {
          warn(way);
          return openMqtt(options, target, await plan(context.clock), context);
        },
        disconnect: closeMqtt,
        ping: pingMqtt,
        closed,
      },
      { ...options, heartbeatMs: options.heartbeatMs ?? MQTT_HEARTBEAT_MS },
    );
  const doubt = { suspects: 0 };
  // A will that waits for its client needs a session that does, and a client that comes back under the same name.
  const waitSeconds = wholeSeconds(options.will?.delayMs ?? 0);
  let clientId = options.clientId === undefined ? undefined : `${options.clientId}.out`;
  const writing: MqttPlanner = (clock) => ({
    clientId: (clientId ??= randomClientId(clock)),
    cleanStart: waitSeconds === 0,
    expirySeconds: waitSeconds,
    receiveMaximum: undefined,
    will: options.will,
    claim: undefined,
    doubt,
  });
  return {
    writing: link(writing, () => undefined),
    reading: link,
    sessions: new MqttSessions(),
    clientId: options.clientId,
    protocolVersion: options.protocolVersion ?? '5',
  };
}
