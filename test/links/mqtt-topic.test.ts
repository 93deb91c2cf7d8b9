import { describe, expect, it } from 'vitest';
import { filterFault, textFault, topicFault } from '../../src/links/mqtt-topic.js';

describe('topics of MQTT (B23, S25)', () => {
  it.each(['a', '/', 'a/b c/ä漢字😀', '$SYS/x', 'x'.repeat(65_535), '漢'.repeat(21_845)])('takes %s', (topic) => {
    expect(topicFault(topic)).toBeUndefined();
    expect(filterFault(topic)).toBeUndefined();
  });

  it.each([
    ['', 'empty'],
    ['a/+', '+ or #'],
    ['a/#', '+ or #'],
    ['a\u0000b', 'U+0000'],
    ['a\ud800', 'surrogate'],
    ['a\nb', 'U+000A'],
    ['a\u0080', 'U+0080'],
    ['a\uffff', 'U+FFFF'],
    ['a\u{1fffe}', 'U+1FFFE'],
    ['x'.repeat(65_536), '65535 bytes'],
    ['漢'.repeat(21_846), '65535 bytes'],
  ])('publishes nothing to %s', (topic, why) => {
    expect(topicFault(topic)).toContain(why);
  });

  it.each(['+', '#', 'a/+/b', 'a/#', '+/+/#', '/+'])('subscribes %s', (filter) => {
    expect(filterFault(filter)).toBeUndefined();
  });

  it.each([
    ['', 'empty'],
    ['a/#/b', 'last level'],
    ['a+', 'alone'],
    ['a/b#', 'alone'],
    ['a\u0000', 'U+0000'],
  ])('does not subscribe %s', (filter, why) => {
    expect(filterFault(filter)).toContain(why);
  });

  it('looks at the length of other texts too', () => {
    expect(textFault('x'.repeat(65_536))).toContain('65535 bytes');
    expect(textFault('')).toBeUndefined();
  });
});
