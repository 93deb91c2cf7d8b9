import { describe, expect, it } from 'vitest';
import { backoff, isSluiceError } from 'sluice';
import {
  checkOptions,
  configInvalid,
  either,
  flag,
  having,
  integer,
  numeric,
  oneOf,
  peerMissing,
  required,
  text,
} from 'sluice/connection';
import { virtualClock } from 'sluice/testing';

interface Options {
  readonly name: string;
  readonly credit?: number;
  readonly rate?: number;
  readonly mode?: 'a' | 'b';
  readonly quiet?: boolean;
  readonly size?: number | { readonly max: number };
}
const rules = {
  name: required(text),
  credit: integer(0, 65_535),
  rate: numeric(0, 1),
  mode: oneOf('a', 'b'),
  quiet: flag,
  size: either(integer(1), having('max')),
};
const faultsOf = (options: object): readonly string[] => {
  try {
    checkOptions<Options>('thing', options as Options, rules);
    return [];
  } catch (error) {
    expect(isSluiceError(error, 'CONFIG_INVALID')).toBe(true);
    return (error as { details: { faults: string[] } }).details.faults;
  }
};

describe('checkOptions', () => {
  it('take an object, and nothing else, with few words', () => {
    expect(faultsOf([1, 2, 3])).toEqual(['expected an object with options, got an array']);
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, at) => [`unknown ${at}`, at]));
    const text = ((): string => {
      try {
        checkOptions<Options>('thing', { name: 'x', ...many }, rules);
        return '';
      } catch (error) {
        return (error as Error).message;
      }
    })();
    expect(text).toContain('and 40 more');
  });

  it('accepts what fits', () => {
    expect(faultsOf({ name: 'x', credit: 0, rate: 0.5, mode: 'b', quiet: false, size: { max: 1 } })).toEqual([]);
    expect(faultsOf({ name: 'x', credit: undefined })).toEqual([]);
  });

  it('lists every fault at once: option, accepted range and value (B32)', () => {
    expect(faultsOf({ credit: '100', rate: 2, mode: 'c', quiet: 1, size: 0 })).toEqual([
      "'name' is missing: expected a text that is not empty",
      "'credit': expected a whole number from 0 to 65535, got '100'",
      "'rate': expected a number from 0 to 1, got 2",
      "'mode': expected one of a, b, got 'c'",
      "'quiet': expected true or false, got 1",
      "'size': expected a whole number from 1, or an object with max, got 0",
    ]);
  });

  it('says that a text is meant, and shows texts that cannot be seen', () => {
    const fault = oneOf('5', '3.1.1');
    expect([fault(5), fault('5'), fault(4)]).toEqual(["expected the text '5'", undefined, 'expected one of 5, 3.1.1']);
    expect(oneOf('\n', '')('x')).toBe('expected one of "\\n", ""');
    // An object that cannot be made a text.
    expect(fault(Object.create(null))).toBe('expected one of 5, 3.1.1');
  });

  it('names the nearest known option for an unknown one (B32)', () => {
    expect(faultsOf({ name: 'x', credits: 1 })).toEqual(["unknown option 'credits', did you mean 'credit'?"]);
    expect(faultsOf({ name: 'x', zzz: 1 })).toEqual(["unknown option 'zzz'"]);
    expect(() => checkOptions<object>('f', { nam: 1 }, { name: text })).toThrow(/did you mean 'name'\?$/);
    expect(configInvalid('f', ['there is none.']).message).toBe('f: there is none.');
    expect(configInvalid('f', ['there is none']).message).toBe('f: there is none.');
  });

  it('says of a name from elsewhere what it is called here, or what to do instead', () => {
    const elsewhere = { level: 'mode', zzz: 'is an option of run' };
    const said = (options: object): string => {
      try {
        checkOptions<Options>('thing', { name: 'x', ...options }, rules, elsewhere);
        return '';
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(said({ level: 1 })).toBe("thing: unknown option 'level', did you mean 'mode'?");
    expect(said({ zzz: 1 })).toBe("thing: unknown option 'zzz': is an option of run.");
    expect(said({ toString: 1 })).toBe("thing: unknown option 'toString'.");
  });

  it('never shows a long or odd text: it may be a secret (SEC-02)', () => {
    const [fault] = faultsOf({ name: 'x', credit: 'p@ss word!' });
    expect(fault).toContain('got a text of 10 characters');
  });

  it('never shows the value of an option that holds a secret, however short it is (S21, B32)', () => {
    const said = (name: string, value: unknown): string => {
      try {
        checkOptions('thing', { [name]: value }, { [name]: having() });
        return '';
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(said('headers', 'tok3n')).toBe("thing: 'headers': expected an object, got a text of 5 characters.");
    for (const name of [
      'password',
      'url',
      'accessToken',
      'authorization',
      'tls',
      'apiKey',
      'username',
      'sasl',
      'protocols',
    ])
      for (const value of ['tok3n', 4711]) expect(said(name, value)).not.toMatch(/tok3n|4711/);
    expect(said('mode', 'fast')).toContain("got 'fast'");
  });
});

describe('backoff', () => {
  it('doubles up to the limit, with a random wait below it', () => {
    const clock = virtualClock({ seed: 3 });
    const schedule = backoff({ initialMs: 200, maxMs: 1_000 });
    for (let failed = 1; failed < 70; failed += 1) {
      const wait = schedule.delayMs(failed, clock);
      expect(wait).toBeGreaterThanOrEqual(100);
      expect(wait).toBeLessThanOrEqual(Math.min(1_000, 200 * 2 ** (failed - 1)));
    }
  });

  it('is exact without jitter and refuses what is out of range', () => {
    const schedule = backoff({ initialMs: 10, factor: 3, maxMs: 50, jitter: 'none' });
    const clock = virtualClock();
    expect([1, 2, 3, 4].map((failed) => schedule.delayMs(failed, clock))).toEqual([10, 30, 50, 50]);
    expect(() => backoff({ factor: 0.5, tries: 0 })).toThrow(/'factor'.*'tries'/);
  });
});

describe('peerMissing', () => {
  const notFound = Object.assign(new Error("Cannot find package 'ws' imported from x"), {
    code: 'ERR_MODULE_NOT_FOUND',
  });

  it('turns a package that is not installed into an instruction', () => {
    expect(() => peerMissing('ws', '^8.0.0')(notFound)).toThrow('npm install "ws@^8.0.0"');
  });

  it('passes on what is missing inside an installed package, and every other error', () => {
    expect(() => peerMissing('kafkajs', '^2.0.0')(notFound)).toThrow(notFound);
    const other = new TypeError('bad');
    expect(() => peerMissing('ws', '^8.0.0')(other)).toThrow(other);
  });
});
