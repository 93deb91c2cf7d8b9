import { mkdir, readdir, readFile, realpath, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const NEEDS = /\{\s*(?:included_|optional_)?applications\s*,\s*\[([^\]]*)\]/g;

/**
 * Makes a folder below `folder` with what this RabbitMQ itself is made of, for it to use in place of its own: at each start it
 * looks at all of its plugins, enabled or not, which is a sixth of that start. Gives `undefined` where a server keeps them elsewhere.
 */
export async function rabbitmqWithoutPlugins(server: string, folder: string): Promise<string | undefined> {
  const from = join(dirname(dirname(await realpath(server))), 'plugins');
  const entries = await readdir(from, { withFileTypes: true }).catch(() => []);
  /** The folder of an application, by its name: it has the version behind it. Old servers have packed files instead. */
  const folders = new Map(
    entries.filter((entry) => entry.isDirectory()).map(({ name }) => [name.replace(/-[^-]*$/, ''), name]),
  );
  if (!folders.has('rabbit')) return undefined;
  const to = join(folder, 'applications');
  await mkdir(to);
  const needed = new Set(['rabbit']);
  // What is added on the way is visited too.
  for (const name of needed) {
    const at = folders.get(name);
    // The others come with Erlang.
    if (at === undefined) continue;
    await symlink(join(from, at), join(to, at));
    const described = await readFile(join(from, at, 'ebin', `${name}.app`), 'utf8');
    for (const [, list = ''] of described.matchAll(NEEDS))
      for (const other of list.split(',')) needed.add(other.trim());
  }
  return to;
}
