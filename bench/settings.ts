/** How a run was asked for: `npm run bench -- [NAME …] [--quick] [--cpu] [--only=TEXT] [--rounds=N]`. */
export interface Settings {
  /** Files whose name starts with one of these; all when empty. */
  readonly names: readonly string[];
  /** Fewer messages and rounds: the whole takes minutes instead of a quarter of an hour. */
  readonly quick: boolean;
  /** Judges by the processor time of this process instead of the wall clock: for machines that others use too. */
  readonly cpu: boolean;
  /** Only comparisons with this in their title. */
  readonly only: string | undefined;
  readonly rounds: number;
}

const args = process.argv.slice(2);
const flags = args.filter((arg) => arg.startsWith('--'));
const valueOf = (flag: string): string | undefined =>
  flags.find((each) => each.startsWith(`${flag}=`))?.slice(flag.length + 1);

const unknown = flags.filter((flag) => !/^--(?:quick|cpu|only=.+|rounds=\d+)$/.test(flag));
if (unknown.length > 0) throw new Error(`unknown flag ${unknown.join(', ')}: --quick, --cpu, --only=TEXT, --rounds=N`);

const quick = flags.includes('--quick');

export const settings: Settings = {
  names: args.filter((arg) => !arg.startsWith('--')),
  quick,
  cpu: flags.includes('--cpu'),
  only: valueOf('--only'),
  rounds: Number(valueOf('--rounds') ?? (quick ? 5 : 15)),
};

/** The number of messages of a full run, a quarter of it in a quick one. */
export function sized(count: number): number {
  return settings.quick ? Math.ceil(count / 4) : count;
}
