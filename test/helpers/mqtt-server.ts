import { Buffer } from 'node:buffer';
import { createServer, type AddressInfo, type Socket } from 'node:net';

/** A control packet as it came in. */
export interface RawPacket {
  /** 1 CONNECT, 3 PUBLISH, 4 PUBACK, 8 SUBSCRIBE, 10 UNSUBSCRIBE, 12 PINGREQ, 14 DISCONNECT. */
  readonly type: number;
  readonly flags: number;
  readonly body: Buffer;
}

/** Answers a packet of a client; `count` is that of the connections so far. */
export type Behaviour = (packet: RawPacket, reply: (...packets: readonly Buffer[]) => void, count: number) => void;

/** A broker that does what a test says, byte by byte. */
export interface MqttServer {
  readonly url: string;
  readonly received: readonly RawPacket[];
  /** Bodies of what came of this type. */
  of(type: number): Buffer[];
  readonly connections: number;
  /** Connections that are open now. */
  readonly open: number;
  /** Sends in one write over the newest connection. */
  send(...packets: readonly Buffer[]): void;
  /** Cuts all. */
  cut(): void;
  close(): Promise<void>;
}

/** Starts one on loopback. Without a behaviour it is a broker of MQTT 5 that agrees to everything. */
export async function mqttServer(behaviour: Behaviour = agreeing): Promise<MqttServer> {
  const received: RawPacket[] = [];
  const sockets = new Set<Socket>();
  let newest: Socket | undefined;
  let count = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    newest = socket;
    const number = (count += 1);
    let buffered: Buffer = Buffer.alloc(0);
    const reply = (...packets: readonly Buffer[]): void => void socket.write(Buffer.concat(packets));
    socket.on('error', () => undefined);
    socket.on('close', () => void sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      buffered = Buffer.concat([buffered, chunk]);
      for (let next = taken(buffered); next !== undefined; next = taken(buffered)) {
        buffered = next.rest;
        received.push(next.packet);
        behaviour(next.packet, reply, number);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    of: (type) => received.filter((packet) => packet.type === type).map(({ body }) => body),
    get connections() {
      return count;
    },
    get open() {
      return sockets.size;
    },
    send: (...packets) => void newest?.write(Buffer.concat(packets)),
    cut,
    close() {
      cut();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** What {@link mqttServer} does by itself; to be called for what a test does not care for. */
export function agreeing({ type, flags, body }: RawPacket, reply: (...packets: readonly Buffer[]) => void): void {
  if (type === 1) reply(connack());
  else if (type === 8) reply(suback(body));
  else if (type === 10) reply(unsuback(body));
  else if (type === 12) reply(Buffer.from([0xd0, 0]));
  else if (type === 3 && (flags & 6) === 2) reply(puback(publishId(body)));
}

/** MQTT 5; `properties` are raw. */
export function connack(code = 0, properties: readonly number[] = [], isResumed = false): Buffer {
  return packet(0x20, [isResumed ? 1 : 0, code, properties.length, ...properties]);
}

/** For a SUBSCRIBE of MQTT 5. */
export function suback(subscribe: Buffer, ...codes: readonly number[]): Buffer {
  let filters = 0;
  for (let at = 3 + subscribe[2]!; at < subscribe.length; at += 3 + subscribe.readUInt16BE(at)) filters += 1;
  const granted = codes.length > 0 ? codes : Array.from({ length: filters }, () => 1);
  return packet(0x90, [subscribe[0]!, subscribe[1]!, 0, ...granted]);
}

/** For an UNSUBSCRIBE of MQTT 5 with one filter. */
export function unsuback(unsubscribe: Buffer): Buffer {
  return packet(0xb0, [unsubscribe[0]!, unsubscribe[1]!, 0, 0]);
}

export function puback(id: number, ...reason: readonly number[]): Buffer {
  return packet(0x40, [id >> 8, id & 255, ...reason]);
}

/** A PUBLISH of MQTT 5 with QoS 1. */
export function publish(id: number, topic: string, payload: string, properties: readonly number[] = []): Buffer {
  const name = Buffer.from(topic);
  return packet(0x32, [
    0,
    name.length,
    ...name,
    id >> 8,
    id & 255,
    properties.length,
    ...properties,
    ...Buffer.from(payload),
  ]);
}

export function disconnect(reason: number): Buffer {
  return packet(0xe0, [reason]);
}

/** The identifier of a PUBLISH with QoS 1. */
export function publishId(body: Buffer): number {
  return body.readUInt16BE(2 + body.readUInt16BE(0));
}

/** The identifiers of all PUBACKs. */
export function acknowledged(server: MqttServer): number[] {
  return server.of(4).map((body) => body.readUInt16BE(0));
}

function packet(head: number, body: readonly number[]): Buffer {
  const length: number[] = [];
  for (let rest = body.length; ; rest >>= 7) {
    length.push(rest < 128 ? rest : (rest & 127) | 128);
    if (rest < 128) break;
  }
  return Buffer.from([head, ...length, ...body]);
}

function taken(bytes: Buffer): { readonly packet: RawPacket; readonly rest: Buffer } | undefined {
  let length = 0;
  for (let at = 1; at < Math.min(bytes.length, 5); at += 1) {
    const byte = bytes[at]!;
    length += (byte & 127) * 128 ** (at - 1);
    if (byte >= 128) continue;
    const end = at + 1 + length;
    if (bytes.length < end) return undefined;
    return {
      packet: { type: bytes[0]! >> 4, flags: bytes[0]! & 15, body: bytes.subarray(at + 1, end) },
      rest: bytes.subarray(end),
    };
  }
  return undefined;
}
