import { describe, expect, it } from 'vitest';
import { MqttAcks } from '../../src/sources/mqtt-acks.js';

function open(): { readonly acks: MqttAcks; readonly written: string[] } {
  const written: string[] = [];
  const acks = new MqttAcks({
    write(bytes) {
      written.push(Buffer.from(bytes).toString('hex'));
      return true;
    },
  });
  return { acks, written };
}

describe('acknowledgements', () => {
  it('go out in the order in which the messages came, those that are due in one write', () => {
    const { acks, written } = open();
    const [first, second, third] = [acks.received(1), acks.received(0x1234), acks.received(3)];
    second.isSettled = true;
    acks.flush();
    expect(written).toEqual([]);
    expect(acks.size).toBe(3);
    first.isSettled = true;
    acks.flush();
    expect(written).toEqual(['4002000140021234']);
    third.isSettled = true;
    acks.flush();
    acks.flush();
    expect(written).toEqual(['4002000140021234', '40020003']);
    expect(acks.size).toBe(0);
  });

  it('tells at the end all that is settled, so that only the rest comes again', () => {
    const { acks, written } = open();
    const [, second, , fourth] = [acks.received(1), acks.received(2), acks.received(3), acks.received(4)];
    second.isSettled = true;
    fourth.isSettled = true;
    acks.end();
    expect(written).toEqual(['4002000240020004']);
    acks.end();
    acks.flush();
    expect(written).toHaveLength(1);
  });

  it('tells nothing once the connection is gone (ACK-04)', () => {
    const { acks, written } = open();
    acks.received(1).isSettled = true;
    acks.drop();
    acks.flush();
    acks.end();
    expect(written).toEqual([]);
  });
});
