import { describe, expect, it } from 'vitest';
import { SluiceError } from 'sluice';
import { peerMissing } from 'sluice/connection';

const answer = peerMissing('@scope/client', '^8.0.0');
const thrownFor = (error: unknown): unknown => {
  try {
    return answer(error);
  } catch (thrown) {
    return thrown;
  }
};

describe('peerMissing', () => {
  it.each([
    ['Node', { code: 'ERR_MODULE_NOT_FOUND', message: "Cannot find package '@scope/client' imported from /app/x.js" }],
    ['a CommonJS loader', { code: 'MODULE_NOT_FOUND', message: "Cannot find module '@scope/client'" }],
    ['a browser', { message: 'Failed to resolve module specifier "@scope/client".' }],
    ['another browser', { message: 'The specifier “@scope/client” was a bare specifier, but was not remapped.' }],
  ])('turns the failed import of %s into the command to install it', (_, error) => {
    expect(thrownFor(error)).toMatchObject({
      code: 'PEER_MISSING',
      message: expect.stringContaining('npm install "@scope/client@^8.0.0"') as unknown,
      details: { peer: '@scope/client', range: '^8.0.0' },
      cause: error,
    });
  });

  it.each([
    [
      'a module that is missing inside the client',
      { code: 'ERR_MODULE_NOT_FOUND', message: "Cannot find package 'deep'" },
    ],
    ['an error of the client itself', new SyntaxError("Unexpected token in '@scope/client'")],
  ])('passes %s on as it is', (_, error) => {
    expect(thrownFor(error)).toBe(error);
  });

  it('meets a real import that fails', async () => {
    const name = '@scope/client';
    const thrown: unknown = await import(/* @vite-ignore */ name).catch(thrownFor);
    expect(thrown).toBeInstanceOf(SluiceError);
  });
});
