import type { Channel } from 'amqplib';

const FRAME_END = 0xce;

/**
 * Puts a message into a queue whose one header is a list in a list, so many times: as bytes, since the client calls itself for each
 * to write them.
 *
 * Source: AMQP 0-9-1 specification, 4.2.3 (frames), 4.2.5.5 (field tables).
 */
export async function putNested(channel: Channel, queue: string, depth: number): Promise<void> {
  // Each list is five bytes longer than what is in it.
  const lists = Array.from({ length: depth }, (_, at) => Buffer.concat([Buffer.from('A'), int(5 * (depth - 1 - at))]));
  const table = Buffer.concat([short('nested'), ...lists]);
  const { ch, connection } = channel as unknown as {
    readonly ch: number;
    readonly connection: { readonly stream: { write(bytes: Uint8Array): boolean } };
  };
  const frame = (type: number, ...parts: readonly Uint8Array[]): Buffer => {
    const payload = Buffer.concat(parts);
    return Buffer.concat([Buffer.from([type, 0, ch]), int(payload.length), payload, Buffer.from([FRAME_END])]);
  };
  const publish = frame(1, Buffer.from([0, 60, 0, 40, 0, 0, 0]), short(queue), Buffer.from([0]));
  const header = frame(2, Buffer.from([0, 60, 0, 0]), int(0), int(1), Buffer.from([0x20, 0]), int(table.length), table);
  connection.stream.write(Buffer.concat([publish, header, frame(3, Buffer.from('n'))]));
  await channel.checkQueue(queue);
}

function int(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function short(text: string): Buffer {
  return Buffer.from([text.length, ...Buffer.from(text)]);
}
