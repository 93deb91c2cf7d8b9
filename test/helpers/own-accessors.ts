/**
 * The names of an object's own getters and setters: a literal with one gets a shape of its own in V8, and every look at any
 * field of it is slow.
 */
export function ownAccessors(object: object): string[] {
  return Object.entries(Object.getOwnPropertyDescriptors(object))
    .filter(([, { get, set }]) => get !== undefined || set !== undefined)
    .map(([name]) => name);
}
